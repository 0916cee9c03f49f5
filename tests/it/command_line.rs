//! `dharma` as a person and a script use it, against a real control plane and a real agent: logging in and out,
//! cutting an agent off, tokens with a life, completion in a real shell.

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use system_tests::rig::{Binaries, ControlPlane, PASSWORD, start_agent, wait_for, wait_for_web};

/// Exit codes of `dharma help-exit-codes`.
const USAGE: Option<i32> = Some(2);

/// A person's shell: a home of their own and no way to reach anything else by accident.
struct Shell<'a> {
    binaries: &'a Binaries,
    home: &'a Path,
}

impl Shell<'_> {
    fn run(&self, arguments: &[&str], typed: &str) -> Result<Output> {
        let mut child = Command::new(self.binaries.path("dharma"))
            .args(arguments)
            .env_clear()
            .env("HOME", self.home)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A command that asks nothing closes its input first; that is no failure.
        let _closed = child.stdin.take().context("no input")?.write_all(typed.as_bytes());
        Ok(child.wait_with_output()?)
    }

    fn log_in(&self, control_plane: &ControlPlane) -> Result<()> {
        let url = control_plane.web.base();
        let output = self.run(&["login", url, "--name", "admin"], &format!("{PASSWORD}\n"))?;
        ensure!(output.status.success(), "{output:?}");
        Ok(())
    }

    fn session_file(&self) -> std::path::PathBuf {
        self.home.join(".config/dharma/session.json")
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn after_logout_the_session_is_worth_nothing_even_to_whoever_kept_its_file() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let shell = Shell { binaries: &binaries, home: folder.path() };

    let before = shell.run(&["whoami"], "")?;
    assert!(!before.status.success(), "{before:?}");
    let wrong =
        shell.run(&["login", control_plane.web.base(), "--name", "admin"], "not the password\n")?;
    assert!(!wrong.status.success() && !shell.session_file().exists(), "{wrong:?}");

    shell.log_in(&control_plane)?;
    let who = shell.run(&["whoami"], "")?;
    assert!(text(&who.stdout).starts_with("admin"), "{who:?}");
    let kept = std::fs::read(shell.session_file())?;
    let out = shell.run(&["logout"], "")?;
    assert!(out.status.success() && !shell.session_file().exists(), "{out:?}");
    let after = shell.run(&["get", "host"], "")?;
    assert!(!after.status.success(), "{after:?}");

    std::fs::write(shell.session_file(), kept)?;
    let replayed = shell.run(&["get", "host"], "")?;
    assert!(!replayed.status.success() && replayed.stdout.is_empty(), "{replayed:?}");
    // Logging out with a session that the server no longer knows still forgets it here.
    assert!(shell.run(&["logout"], "")?.status.success());
    assert!(!shell.session_file().exists());
    Ok(())
}

#[tokio::test]
async fn a_revoked_agent_is_cut_off_and_a_script_has_to_say_yes() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let _agent = start_agent(&binaries, &control_plane, folder.path()).await?;
    let agent = wait_for_web("the agent to be connected", || async {
        let agents = control_plane.web.get("/api/v1/agents").await?;
        let agents = agents.get("agents").and_then(Value::as_array).cloned().unwrap_or_default();
        Ok(agents.into_iter().find(|agent| agent["state"] == "connected"))
    })
    .await?;
    let id = agent["id"].as_str().context("the agent has no id")?;
    let shell = Shell { binaries: &binaries, home: folder.path() };
    shell.log_in(&control_plane)?;

    let unknown = shell.run(&["agent", "revoke", "no-such-agent", "--yes"], "")?;
    assert!(!unknown.status.success(), "{unknown:?}");
    // No terminal: nobody can be asked, and what is typed blindly is no answer.
    let unasked = shell.run(&["agent", "revoke", id], &format!("{id}\n"))?;
    assert_eq!(unasked.status.code(), USAGE, "{unasked:?}");
    let listed = shell.run(&["agent", "list", "-o", "json"], "")?;
    assert!(text(&listed.stdout).contains("connected"), "{listed:?}");

    let revoked = shell.run(&["agent", "revoke", id, "--yes"], "")?;
    assert!(revoked.status.success(), "{revoked:?}");
    wait_for("the agent to be shown as revoked", || {
        let listed = shell.run(&["agent", "list", "-o", "json"], "")?;
        let listed = text(&listed.stdout);
        Ok((listed.contains("revoked") && !listed.contains("\"connected\"")).then_some(()))
    })
    .await
}

/// The second of its day of a moment such as `2026-01-31T12:00:00.000Z`.
fn second_of_day(moment: &Value) -> Option<i64> {
    let clock = moment.as_str()?.split_once('T')?.1.get(..8)?;
    clock.split(':').try_fold(0, |sum, part| Some(sum * 60 + part.parse::<i64>().ok()?))
}

#[tokio::test]
async fn a_token_lives_as_long_as_was_typed_on_both_command_lines() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let control_plane = ControlPlane::start(&binaries, folder.path()).await?;
    let shell = Shell { binaries: &binaries, home: folder.path() };
    shell.log_in(&control_plane)?;
    let owner = |ttl: &str| {
        Command::new(binaries.path("dharma-control-plane"))
            .args(["token", "create", "--name", "made by its owner", "--ttl", ttl, "--state"])
            .arg(&control_plane.state)
            .output()
    };
    for wrong in ["1w", "0s", "soon"] {
        let refused = owner(wrong)?;
        assert!(!refused.status.success(), "{refused:?}");
        assert!(text(&refused.stderr).contains("15m"), "{refused:?}");
        let refused = shell.run(&["token", "create", "join", "--ttl", wrong], "")?;
        assert_eq!(refused.status.code(), USAGE, "{refused:?}");
    }
    let made = owner("2h")?;
    assert!(made.status.success(), "{made:?}");
    let made = shell.run(&["token", "create", "join", "--name", "typed", "--ttl", "2h"], "")?;
    assert!(made.status.success(), "{made:?}");
    let tokens = control_plane.web.get("/api/v1/tokens").await?;
    let tokens = tokens.get("tokens").and_then(Value::as_array).cloned().unwrap_or_default();
    assert_eq!(tokens.len(), 2, "{tokens:?}");
    for token in tokens {
        let (from, until) =
            (second_of_day(&token["created_at"]), second_of_day(&token["expires_at"]));
        let life = until.zip(from).map(|(until, from)| (until - from).rem_euclid(24 * 3600));
        assert_eq!(life, Some(7200), "{token}");
    }
    Ok(())
}

#[test]
fn completion_scripts_are_accepted_by_their_shells_and_complete_a_command() -> Result<()> {
    let binaries = Binaries::find()?;
    let folder = tempfile::tempdir()?;
    let shell = Shell { binaries: &binaries, home: folder.path() };
    assert_eq!(shell.run(&["completion", "cmd.exe"], "")?.status.code(), USAGE);
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = shell.run(&["completion", name], "")?;
        assert!(script.status.success(), "{name}: {script:?}");
        for command in ["logout", "completion", "revoke"] {
            assert!(text(&script.stdout).contains(command), "{name} has no {command}");
        }
    }
    let script = folder.path().join("dharma.bash");
    std::fs::write(&script, shell.run(&["completion", "bash"], "")?.stdout)?;
    // What the shell does at the tabulator, for `dharma log` and for `dharma agent re`.
    let asked = "source \"$1\"; ask() { COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); \
                 _dharma dharma \"${COMP_WORDS[$COMP_CWORD]}\" \"${COMP_WORDS[$((COMP_CWORD - 1))]}\"; \
                 echo \"${COMPREPLY[@]}\"; }; ask dharma log; ask dharma agent re";
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-c", asked, "bash"])
        .arg(&script)
        .output()?;
    assert_eq!(text(&output.stdout), "login logout\nrevoke\n", "{output:?}");
    Ok(())
}
