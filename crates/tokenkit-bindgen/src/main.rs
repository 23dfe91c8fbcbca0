//! Writes the bindings under `bindings/`; with `--check` it only tells whether they are current.

#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for the command line")]

use std::process::ExitCode;

use tokenkit_bindgen::{Error, generate};

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => write(),
        ["--check"] => check(),
        _ => {
            eprintln!("usage: tokenkit-bindgen [--check]");
            return ExitCode::from(2);
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("tokenkit-bindgen: {error}");
        ExitCode::FAILURE
    })
}

fn write() -> Result<ExitCode, Error> {
    for binding in generate()? {
        binding.write()?;
        println!("{}", binding.path.display());
    }
    Ok(ExitCode::SUCCESS)
}

fn check() -> Result<ExitCode, Error> {
    let mut code = ExitCode::SUCCESS;
    for binding in generate()? {
        if !binding.is_current() {
            eprintln!("{} is stale: run `cargo run -p tokenkit-bindgen`", binding.path.display());
            code = ExitCode::FAILURE;
        }
    }
    Ok(code)
}
