//! Many writers, and writers that are killed.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokenkit::store::Section;

use crate::child::{playing, role};
use crate::{KEY, open, secret};

const TASKS: u64 = 8;
const PROCESSES: u64 = 8;
const ROUNDS: u64 = 5;
const KILLS: u64 = 500;

/// Adds one to a number, `ROUNDS` times in each of `TASKS` tasks.
async fn add(folder: &std::path::Path, process: u64) {
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        // Half of the tasks share their process's memory, half have their own.
        let store = open(folder, Some(KEY));
        tasks.push(tokio::spawn(async move {
            for round in 0..ROUNDS {
                let change = move |section: &mut Section| {
                    let count =
                        section.value("count").and_then(serde_json::Value::as_u64).unwrap_or_default();
                    section.set("count", count + 1);
                    section.set(&format!("p{process}-t{task}"), round);
                    Ok(())
                };
                store.update("shared", change).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

#[test]
fn writes_of_64_at_once_are_all_there() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = role("add") {
        return runtime.block_on(add(&folder, u64::from(std::process::id())));
    }
    let folder = TempDir::new().unwrap();
    let test = "processes::writes_of_64_at_once_are_all_there";
    let begun = Instant::now();
    let children: Vec<_> = (1..PROCESSES)
        .map(|_| playing("add", folder.path(), test).stdout(Stdio::null()).spawn().unwrap())
        .collect();
    runtime.block_on(add(folder.path(), 0));
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let section = runtime.block_on(open(folder.path(), Some(KEY)).read("shared")).unwrap();
    let count = PROCESSES * TASKS * ROUNDS;
    assert_eq!(section.value("count"), Some(&count.into()));
    assert_eq!(section.names().count() as u64, PROCESSES * TASKS + 1);
    println!("{count} writes by 64 at once: {:?}", begun.elapsed());
}

/// Writes 1, 2, 3, …, and says each when it is done.
async fn write_on(folder: &std::path::Path, key: Option<&str>, last: u64) {
    let store = open(folder, key);
    let first = number(&store.read("shared").await.unwrap()).unwrap_or_default() + 1;
    for number in (first..).take_while(|number| *number < first + last) {
        let change = move |section: &mut Section| {
            section.set("number", number);
            section.set("filler", number.to_string().repeat(300));
            section.set_secret("copy", number.to_string().into());
            Ok(())
        };
        store.update("shared", change).await.unwrap();
        println!("wrote {number}");
    }
}

/// The number in a section, all of which is of one write.
fn number(section: &Section) -> Option<u64> {
    let number = section.value("number")?.as_u64()?;
    assert_eq!(secret(section, "copy"), Some(number.to_string().as_str()));
    assert_eq!(section.text("filler"), Some(number.to_string().repeat(300).as_str()));
    Some(number)
}

#[test]
fn a_writer_that_is_killed_leaves_the_old_or_the_new() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let Some(folder) = role("write") {
        return runtime.block_on(write_on(&folder, None, u64::MAX >> 1));
    }
    if let Some(folder) = role("write sealed") {
        return runtime.block_on(write_on(&folder, Some(KEY), u64::MAX >> 1));
    }
    let test = "processes::a_writer_that_is_killed_leaves_the_old_or_the_new";
    let begun = Instant::now();
    // Two at a time: the machine has more to do than one writer gives it.
    let half = |playing_role: &'static str, key: Option<&'static str>| {
        let folder = TempDir::new().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (mut last, mut at_work) = (0, 0);
        for round in 0..KILLS / 2 {
            let mut child =
                playing(playing_role, folder.path(), test).stdout(Stdio::piped()).spawn().unwrap();
            let mut lines = BufReader::new(child.stdout.take().unwrap());
            let mut said = String::new();
            // Most are killed while they write, some while they start.
            if round % 5 != 0 {
                while !said.contains("wrote") {
                    assert_ne!(lines.read_line(&mut said).unwrap(), 0, "{said}");
                }
                at_work += 1;
            }
            thread::sleep(Duration::from_micros(u64::from(rand()) % 9000));
            child.kill().unwrap();
            child.wait().unwrap();
            lines.read_to_string(&mut said).unwrap();
            let acknowledged = said.lines().rev().find_map(|line| line.rsplit_once("wrote ")?.1.parse().ok());
            let acknowledged = acknowledged.unwrap_or(last);

            let read = runtime.block_on(open(folder.path(), key).read("shared")).unwrap();
            let found = number(&read).unwrap_or_default();
            assert!((acknowledged..=acknowledged + 1).contains(&found), "said {acknowledged}, found {found}");
            last = found;
        }
        // The lock of the dead is free, and what they left behind is in nobody's way.
        runtime.block_on(write_on(folder.path(), key, 1));
        let status = runtime.block_on(open(folder.path(), key).status()).unwrap();
        assert_eq!(status.damaged, Vec::<std::path::PathBuf>::new());
        let files = std::fs::read_dir(folder.path().join("sections")).unwrap().count();
        assert_eq!(files, 1);
        assert!(last > 0 && at_work > KILLS / 3);
    };
    thread::scope(|scope| {
        scope.spawn(|| half("write", None));
        scope.spawn(|| half("write sealed", Some(KEY)));
    });
    println!("{KILLS} kills: {:?}", begun.elapsed());
}

fn rand() -> u32 {
    let mut bytes = [0; 4];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}
