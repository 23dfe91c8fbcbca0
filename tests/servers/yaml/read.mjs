// Writes the documents of YAML files as a JSON object by file. A file that is wrong, or strange enough for a warning, is
// an error.
//
//   node read.mjs <file> ...
import { readFileSync } from 'node:fs';

import { parseDocument } from 'yaml';

const documents = {};
for (const file of process.argv.slice(2)) {
  const document = parseDocument(readFileSync(file, 'utf8'));
  const [problem] = [...document.errors, ...document.warnings];
  if (problem) throw new Error(`${file}: ${problem.message}`);
  documents[file] = document.toJS();
}
process.stdout.write(JSON.stringify(documents));
