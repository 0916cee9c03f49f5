//! The short-lived child that looks: its memory goes back when it ends, and it can be killed when it hangs.
//!
//! The parent gives it one request on its standard input and reads frames from its standard output: one byte of
//! kind, four bytes of length, the content. Invariants: the parent holds one frame at a time, none longer than a
//! spool record; a child that hangs, dies or speaks nonsense costs its scopes one look and nothing else.
//!
//! Deliberately not here: which scopes are due, and the spool.

use crate::look::{Looked, Order, ScopeFiles, Summary, Surroundings, look};
use collector::Target;
use serde::{Deserialize, Serialize};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// The name of the hidden subcommand.
pub const SUBCOMMAND: &str = "look-child";

/// The most bytes of a frame.
const FRAME_BYTES_MAX: usize = proto::limits::RECORD_BYTES_MAX;
/// The most bytes of a request: every scope of a collector fits many times.
const REQUEST_BYTES_MAX: u64 = 256 * 1024;

/// What the child is to do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Request {
    /// The collector.
    pub collector: String,
    /// The agent's state directory.
    pub state: PathBuf,
    /// The target's id.
    pub target: String,
    /// The target's site.
    pub site: String,
    /// Where the target's file system begins.
    pub root: PathBuf,
    /// What must be the same for a guard to mean anything.
    pub context: String,
    /// Address space that it may take.
    pub memory_bytes: u64,
    /// How much it gives way to others.
    pub nice: u64,
    /// What to look at, in order.
    pub orders: Vec<Order>,
}

impl Request {
    /// The target.
    #[must_use]
    pub fn target(&self) -> Target {
        Target {
            id: self.target.clone(),
            site: self.site.clone(),
            root: self.root.clone(),
            remote: None,
        }
    }
}

/// What the child says.
#[derive(Debug)]
pub enum Frame {
    /// It begins to look at this scope.
    Started(String),
    /// A record of the class Inventory.
    Part(Vec<u8>),
    /// A record of the class Metrics.
    Readings(Vec<u8>),
    /// The scope is done.
    Ended(Box<Summary>),
}

const STARTED: u8 = b'S';
const PART: u8 = b'P';
const READINGS: u8 = b'R';
const ENDED: u8 = b'E';

fn write_frame(out: &mut impl Write, kind: u8, content: &[u8]) -> io::Result<()> {
    let too_long =
        || io::Error::new(io::ErrorKind::InvalidInput, "a frame is longer than a record");
    let length = u32::try_from(content.len()).map_err(|_| too_long())?;
    if content.len() > FRAME_BYTES_MAX {
        return Err(too_long());
    }
    out.write_all(&[kind])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(content)
}

/// The child's work: reads the request, looks, writes frames.
///
/// # Errors
/// When the request is unusable or the parent no longer listens.
pub async fn work() -> io::Result<()> {
    let mut text = String::new();
    io::Read::read_to_string(&mut io::Read::take(io::stdin(), REQUEST_BYTES_MAX), &mut text)?;
    let request: Request = serde_json::from_str(&text)?;
    crate::limits::confine_child(&request);
    let collector = crate::collectors::by_name(&request.collector)
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no such collector"))?;
    let target = request.target();
    let files = ScopeFiles::new(&request.state, &request.collector);
    let around = Surroundings {
        collector,
        target: &target,
        files: &files,
        context: &request.context,
        clock: &environment::SystemClock,
        randomness: &environment::SystemRandomness,
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    for order in &request.orders {
        write_frame(&mut out, STARTED, order.scope.as_bytes())?;
        out.flush()?;
        let Looked { parts, readings, summary, .. } = look(&around, order).await?;
        for part in parts {
            write_frame(&mut out, PART, &part)?;
        }
        for part in readings {
            write_frame(&mut out, READINGS, &part)?;
        }
        write_frame(&mut out, ENDED, &serde_json::to_vec(&summary)?)?;
        out.flush()?;
    }
    Ok(())
}

/// What is started as a child.
#[derive(Clone, Debug)]
pub struct Program {
    /// The file.
    pub path: PathBuf,
    /// Its arguments.
    pub arguments: Vec<String>,
}

impl Program {
    /// The hidden subcommand of this very binary.
    ///
    /// # Errors
    /// When the operating system does not say where it is.
    pub fn this() -> io::Result<Self> {
        // On Linux the running file itself, even when an upgrade has put another one in its place.
        let path = if cfg!(target_os = "linux") {
            PathBuf::from("/proc/self/exe")
        } else {
            std::env::current_exe()?
        };
        Ok(Self { path, arguments: vec![SUBCOMMAND.to_owned()] })
    }
}

/// A running child, seen by its parent. Dropping it kills it.
#[derive(Debug)]
pub struct Child {
    process: tokio::process::Child,
    output: tokio::process::ChildStdout,
}

impl Child {
    /// Starts a child.
    ///
    /// # Errors
    /// What the operating system says.
    pub async fn start(program: &Program, request: &Request) -> io::Result<Self> {
        let mut command = tokio::process::Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true);
        let mut process = command.spawn()?;
        let missing = || io::Error::other("the child has no pipes");
        let mut input = process.stdin.take().ok_or_else(missing)?;
        let output = process.stdout.take().ok_or_else(missing)?;
        input.write_all(&serde_json::to_vec(request)?).await?;
        input.shutdown().await?;
        Ok(Self { process, output })
    }

    /// The next frame; `None` when the child has ended.
    ///
    /// # Errors
    /// When the child speaks nonsense or breaks off.
    pub async fn next(&mut self) -> io::Result<Option<Frame>> {
        let nonsense = || io::Error::new(io::ErrorKind::InvalidData, "the child speaks nonsense");
        let mut head = [0; 5];
        match self.output.read(&mut head).await? {
            0 => return Ok(None),
            read => {
                let rest = head.get_mut(read..).unwrap_or_default();
                self.output.read_exact(rest).await?;
            }
        }
        let [kind, length @ ..] = head;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(nonsense());
        }
        let mut content = vec![0; length];
        self.output.read_exact(&mut content).await?;
        Ok(Some(match kind {
            STARTED => Frame::Started(String::from_utf8(content).map_err(|_| nonsense())?),
            PART => Frame::Part(content),
            READINGS => Frame::Readings(content),
            ENDED => Frame::Ended(Box::new(serde_json::from_slice(&content)?)),
            _ => return Err(nonsense()),
        }))
    }

    /// Kills the child, if it still runs, and waits for its end.
    pub async fn end(mut self) {
        // Both fail only when it is gone already.
        drop(self.process.start_kill());
        drop(self.process.wait().await);
    }
}
