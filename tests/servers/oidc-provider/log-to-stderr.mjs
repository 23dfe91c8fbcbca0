// stdout carries the ready line and nothing else, but oidc-provider writes its notices with
// console.info. Import this module first, so that everything a console prints goes to stderr.
import { Console } from 'node:console';

globalThis.console = new Console(process.stderr, process.stderr);
