//! The contenders of the bench that are written in Rust: raw HTTP, raw signature checks, the disk, and the core crate.
//!
//! `tokenkit-bench <token endpoint> <folder>` reads one job a line from standard input: its name, how often, and what
//! else it needs, with blanks between. It answers each with a line: the seconds that the job took, or `error: …`.

#![forbid(unsafe_code)]

use std::error::Error;
use std::io::{self, BufRead as _, Write as _};
use std::path::PathBuf;
use std::time::{Duration, Instant};

mod disk;
mod jwt;
mod wire;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// What all jobs share.
struct Bench {
    wire: wire::Wire,
    jwt: jwt::Jwts,
    disk: disk::Disk,
}

fn main() -> Outcome<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(endpoint), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err("usage: tokenkit-bench <token endpoint> <folder>".into());
    };
    let folder = PathBuf::from(folder);
    let mut bench = Bench {
        wire: wire::Wire::new(endpoint)?,
        jwt: jwt::Jwts::new(folder.clone()),
        disk: disk::Disk::new(folder)?,
    };
    let mut stdout = io::stdout();
    for line in io::stdin().lock().lines() {
        match bench.run(&line?) {
            Ok(time) => writeln!(stdout, "{}", time.as_secs_f64())?,
            Err(error) => writeln!(stdout, "error: {error}")?,
        }
        stdout.flush()?;
    }
    Ok(())
}

impl Bench {
    fn run(&mut self, line: &str) -> Outcome<Duration> {
        let words: Vec<_> = line.split(' ').collect();
        let count = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(1);
        let word = words.get(2).copied().unwrap_or_default();
        match words[0] {
            "server" => self.wire.server(count),
            "reqwest" => self.wire.reqwest(count),
            "core" => self.wire.core(count),
            "reqwest-many" => self.wire.reqwest_many(count, word.parse()?),
            "core-many" => self.wire.core_many(count, word.parse()?),
            "make-tokens" => self.jwt.make(count),
            "signature" => self.jwt.signatures(count, word),
            "verify" => self.jwt.verify(count, word),
            "decode" => self.jwt.decode(count),
            "fill" => self.disk.fill(count),
            "read" => self.disk.read(count),
            "write" => self.disk.write(count),
            "fsync" => self.disk.fsync(count),
            other => Err(format!("there is no job '{other}'").into()),
        }
    }
}

/// The time that `work` takes when it is done `count` times.
fn timed(count: usize, mut work: impl FnMut(usize) -> Outcome<()>) -> Outcome<Duration> {
    let started = Instant::now();
    for number in 0..count {
        work(number)?;
    }
    Ok(started.elapsed())
}
