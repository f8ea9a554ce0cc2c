//! Several processes over one directory, which are killed at any time. The processes are this program again.

#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "test helpers are test code")]

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use redress_store::{BoxError, NewRecord, Record, Store, Version, Written};
use redress_store_file::FileStore;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

const KEY: &str = "portal/user-7";
const DIRECTORY: &str = "REDRESS_STORE_FILE_DIRECTORY";
const WRITES: &str = "REDRESS_STORE_FILE_WRITES";
const LIFETIME: &str = "REDRESS_STORE_FILE_LIFETIME";
const GROUP: &str = "REDRESS_STORE_FILE_GROUP";

/// The value of a write, from which a part of another one can be told. It takes the disk several blocks.
fn value(number: u64) -> Vec<u8> {
    format!("{number} ").repeat(3000).into_bytes()
}

fn assert_whole(record: Option<&Record>) {
    if let Some(record) = record {
        let number = record.version().number();
        assert!(record.value() == value(number), "write {number} has {} other bytes", record.value().len());
    }
}

/// Writes over whatever there is, and returns the number of the write.
async fn write(store: &FileStore, lifetime: Option<Duration>) -> Result<u64, BoxError> {
    let mut seen = store.load(KEY).await?.map(|record| record.version());
    loop {
        let version = Version::next(seen);
        let value = value(version.number());
        let record = NewRecord::new(version, &value);
        let record = lifetime.map_or(record, |lifetime| record.lifetime(lifetime));
        match store.replace(KEY, seen, &record).await? {
            Written::Done => return Ok(version.number()),
            Written::Refused(stored) => {
                assert_whole(stored.as_ref());
                seen = stored.map(|record| record.version());
            }
        }
    }
}

/// A process that writes, and prints the number of each write that succeeded. Without a number of writes it goes on for ever.
#[tokio::test]
#[ignore = "the child process of the other tests"]
async fn child() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let is_group = std::env::var(GROUP).is_ok();
    let store = if is_group { FileStore::open_for_group(directory) } else { FileStore::open(directory) };
    let store = store.unwrap_or_else(|error| panic!("{error}"));
    let writes = std::env::var(WRITES).ok().map_or(u64::MAX, |writes| writes.parse().unwrap());
    // Without a lifetime each write waits for the disk.
    let lifetime = std::env::var(LIFETIME).is_ok().then_some(Duration::from_secs(3600));
    for _ in 0..writes {
        println!("done {}", write(&store, lifetime).await.unwrap());
    }
}

fn command(directory: &Path, is_durable: bool, writes: Option<u64>) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    command.env(DIRECTORY, directory).stdout(Stdio::piped()).kill_on_drop(true);
    if !is_durable {
        command.env(LIFETIME, "1");
    }
    if let Some(writes) = writes {
        command.env(WRITES, writes.to_string());
    }
    command
}

/// Starts a process that writes for ever, and waits for its first write.
async fn start(directory: &Path, is_durable: bool) -> (Child, BufReader<ChildStdout>) {
    let mut child = command(directory, is_durable, None).spawn().unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while !line.contains("done ") {
        line.clear();
        assert!(output.read_line(&mut line).await.unwrap() > 0, "the child ended");
    }
    (child, output)
}

/// Kills a process, and returns the number of the last write that it told.
async fn kill(child: &mut Child, output: &mut BufReader<ChildStdout>) -> u64 {
    child.kill().await.unwrap();
    let mut rest = String::new();
    output.read_to_string(&mut rest).await.unwrap();
    // The last line may be cut.
    let told = rest.rsplit_once('\n').map_or("", |(whole, _)| whole);
    told.lines().filter_map(|line| line.strip_prefix("done ")?.parse().ok()).max().unwrap_or(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_process_leaves_a_whole_record_and_no_lock() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("portal");
    let store = FileStore::open(&directory).unwrap();
    let (mut kills, mut cut) = (0, 0);
    while kills < 300 {
        // A kill leaves what was written to the kernel: every second round goes without the disk, which is faster.
        let start = || start(&directory, kills % 8 == 0);
        let (one, two, three, four) = tokio::join!(start(), start(), start(), start());
        for (mut child, mut output) in [one, two, three, four] {
            tokio::time::sleep(Duration::from_micros(fastrand::u64(..4000))).await;
            let told = kill(&mut child, &mut output).await;
            let record = store.load(KEY).await.unwrap().expect("a record was written");
            assert_whole(Some(&record));
            assert!(record.version().number() >= told, "write {told} is lost: {record:?}");
            kills += 1;
        }
        // The last one of a round was killed in a write.
        cut += u32::from(names(&directory).iter().any(|name| name.ends_with(".tmp")));
        // It would fail after 4 s if a lock was left.
        write(&store, None).await.unwrap();
        assert!(!names(&directory).iter().any(|name| name.ends_with(".tmp")), "a write leaves nothing");
    }
    println!("{kills} kills, {cut} of the last ones in a write; {} writes", write(&store, None).await.unwrap());
    assert!(cut > 0, "no process was killed in a write");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_the_writes_of_several_processes_none_is_lost() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("portal");
    let children: Vec<_> = (0..4).map(|_| command(&directory, false, Some(100)).spawn().unwrap()).collect();
    let store = FileStore::open(&directory).unwrap();
    for _ in 0..100 {
        write(&store, Some(Duration::from_secs(3600))).await.unwrap();
    }
    for child in children {
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    assert_eq!(store.load(KEY).await.unwrap().unwrap().version().number(), 500);
}

/// Needs root, which may become any user; it says so without.
#[tokio::test(flavor = "multi_thread")]
async fn two_users_of_a_group_share_a_directory() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("portal");
    std::fs::create_dir(&directory).unwrap();
    if std::fs::metadata(&directory).unwrap().uid() != 0 {
        eprintln!("not tested: two users in a group; run as root");
        return;
    }
    let (group, mode) = (64_242, std::fs::Permissions::from_mode);
    std::fs::set_permissions(home.path(), mode(0o755)).unwrap();
    std::fs::set_permissions(&directory, mode(0o770)).unwrap();
    chown(&directory, None, Some(group)).unwrap();
    // A copy: those users need not see where the tests were built.
    let program = home.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    std::fs::set_permissions(&program, mode(0o755)).unwrap();
    let children: Vec<_> = [64_243, 64_244]
        .into_iter()
        .map(|user| {
            let mut command = Command::new(&program);
            command.args(["child", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
            command
                .env(DIRECTORY, &directory)
                .env(WRITES, "50")
                .env(GROUP, "1")
                .env(LIFETIME, "1")
                .stdout(Stdio::piped());
            command.current_dir("/").uid(user).gid(group).spawn().unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let store = FileStore::open_for_group(&directory).unwrap();
    assert_eq!(store.load(KEY).await.unwrap().unwrap().version().number(), 100);
    let record = std::fs::metadata(directory.join("portal%2fuser-7.record")).unwrap();
    assert_eq!((record.gid(), record.mode() & 0o7777), (group, 0o660));
    // The group of this process is another one.
    write(&store, None).await.unwrap();
    let record = std::fs::metadata(directory.join("portal%2fuser-7.record")).unwrap();
    assert_eq!((record.uid(), record.gid(), record.mode() & 0o7777), (0, group, 0o660));
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}
