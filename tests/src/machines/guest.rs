//! A guest of QEMU with firmware tables and drives of our own: Debian's kernel, a root in memory, the agent inside.
//!
//! It boots without a network under software emulation, runs the given commands and powers off; what they print
//! comes back over the serial console between markers. Its drives are empty files that go with it.

use super::archive::Archive;
use super::supplies::{self, Kernel};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How long the guest may take to boot, answer and power off; ten seconds alone, more beside a build.
const LIFE_MAX: Duration = Duration::from_secs(150);
/// The size of the first drive; each further one is a MiB larger, so that their sizes tell them apart.
const DRIVE_MIB: u64 = 64;
/// How often a tenth of a second is waited for all drives: those on USB take a second or two.
const DRIVES_TENTHS_MAX: u32 = 300;

/// A guest to be started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Guest<'a> {
    /// Firmware tables: values of QEMU's `-smbios`.
    pub smbios: &'a [&'a str],
    /// Devices without a drive, such as controllers: values of QEMU's `-device`.
    pub devices: &'a [&'a str],
    /// Devices that each get a drive: values of QEMU's `-device` without `drive=`.
    pub drives: &'a [&'a str],
    /// Kernel modules to load, each with its parameters.
    pub modules: &'a [&'a str],
    /// How many drives some of the modules bring along.
    pub drives_of_modules: usize,
    /// Programs to bring along besides the agent and busybox.
    pub programs: &'a [&'a str],
    /// What to run: a name for each output, and lines of shell.
    pub commands: &'a [(&'a str, &'a str)],
}

impl Guest<'_> {
    /// Boots it, runs each command in its shell and gives what each printed, by name.
    ///
    /// # Errors
    /// When QEMU or a needed package is missing, or the guest does not power off in time.
    pub fn run(&self, agent: &Path) -> Result<BTreeMap<String, String>> {
        let kernel = Kernel::find()?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("root.cpio"), self.root(agent, &kernel)?)?;
        let mut guest = self
            .machine(folder.path(), &kernel.image()?)?
            .stdin(Stdio::null())
            .spawn()
            .context("cannot start QEMU; install it: apt-get install qemu-system-x86")?;
        let ended = wait(&mut guest);
        let output = std::fs::read(folder.path().join("serial")).unwrap_or_default();
        let output = String::from_utf8_lossy(&output).replace('\r', "");
        ended.with_context(|| format!("the guest's console ends with:\n{}", tail(&output)))?;
        self.commands
            .iter()
            .map(|(name, _)| {
                let begin = format!("=== {name} begins\n");
                let end = format!("=== {name} ends\n");
                let text = output.split(&begin).nth(1).and_then(|rest| rest.split(&end).next());
                let text = text.with_context(|| {
                    format!("`{name}` did not run; the console:\n{}", tail(&output))
                })?;
                Ok(((*name).to_owned(), text.to_owned()))
            })
            .collect()
    }

    /// The command that starts it.
    fn machine(&self, folder: &Path, kernel: &Path) -> Result<Command> {
        let mut machine = Command::new("qemu-system-x86_64");
        machine.args(["-machine", "q35,accel=tcg", "-cpu", "max", "-smp", "2,sockets=1,cores=2"]);
        machine.args(["-m", "768", "-nodefaults", "-display", "none", "-no-reboot"]);
        machine.args(["-net", "none"]);
        for table in self.smbios {
            machine.args(["-smbios", table]);
        }
        for device in self.devices {
            machine.args(["-device", device]);
        }
        for (number, device) in (0_u64..).zip(self.drives) {
            let image = folder.join(format!("drive{number}"));
            std::fs::File::create(&image)?.set_len(drive_bytes(number))?;
            let drive = format!("if=none,id=d{number},format=raw,file={}", image.display());
            machine.args(["-drive", &drive, "-device", &format!("{device},drive=d{number}")]);
        }
        machine.arg("-kernel").arg(kernel).arg("-initrd").arg(folder.join("root.cpio"));
        machine.args(["-serial", &format!("file:{}", folder.join("serial").display())]);
        machine.args(["-append", "console=ttyS0 quiet panic=-1 loglevel=0"]);
        Ok(machine)
    }

    /// Its root: an archive that the kernel unpacks into memory.
    fn root(&self, agent: &Path, kernel: &Kernel) -> Result<Vec<u8>> {
        let mut archive = Archive::default();
        for folder in ["bin", "dev", "proc", "sys", "tmp", "etc", "run", "var", "usr", "modules"] {
            archive.folder(folder);
        }
        let busybox = Path::new("/usr/bin/busybox");
        anyhow::ensure!(busybox.exists(), "busybox is missing: apt-get install busybox-static");
        archive.file("bin/busybox", &std::fs::read(busybox)?);
        archive.link("bin/sh", "busybox");
        archive.program("bin/dharma-agent", agent)?;
        for name in self.programs {
            for (file, place) in supplies::program(name)? {
                archive.parents(&place);
                archive.file(&place, &std::fs::read(file)?);
            }
        }
        archive.file("etc/os-release", b"ID=guest\nNAME=Guest\nPRETTY_NAME=\"Test guest\"\n");
        let parameters: BTreeMap<&str, &str> =
            self.modules.iter().filter_map(|module| module.split_once(' ')).collect();
        let names: Vec<&str> = self
            .modules
            .iter()
            .map(|module| module.split_once(' ').map_or(*module, |(name, _)| name))
            .collect();
        let mut init = String::from(
            "#!/bin/sh\nexport PATH=/bin HOME=/tmp\nbusybox mount -t devtmpfs none /dev\nbusybox mount -t proc none /proc\nbusybox mount -t sysfs none /sys\n",
        );
        for (name, bytes) in kernel.modules(&names)? {
            archive.file(&format!("modules/{name}.ko"), &bytes);
            let parameters = parameters.get(name.as_str()).copied().unwrap_or_default();
            writeln!(init, "busybox insmod /modules/{name}.ko {parameters}")?;
        }
        init.push_str(&self.wait_for_drives());
        for (name, command) in self.commands {
            writeln!(init, "echo '=== {name} begins'\n{command}\necho '=== {name} ends'")?;
        }
        init.push_str("busybox poweroff -f\n");
        archive.file("init", init.as_bytes());
        Ok(archive.finish())
    }

    /// Lines of shell that wait until the kernel has found every drive.
    fn wait_for_drives(&self) -> String {
        format!(
            "found() {{ for b in /sys/block/*; do read size < $b/size; read hidden < $b/hidden; [ $size = 0 ] || [ $hidden = 1 ] || echo; done | busybox wc -l; }}\n\
             n=0\nuntil [ $(found) -ge {} ] || [ $n -ge {DRIVES_TENTHS_MAX} ]; do busybox sleep 0.1; n=$((n + 1)); done\n",
            self.drives.len() + self.drives_of_modules
        )
    }
}

/// The size of a guest's drive, by its place in the list.
#[must_use]
pub const fn drive_bytes(number: u64) -> u64 {
    (DRIVE_MIB + number) * 1024 * 1024
}

fn tail(output: &str) -> String {
    let lines: Vec<&str> = output.lines().rev().take(15).collect();
    lines.into_iter().rev().collect::<Vec<_>>().join("\n")
}

fn wait(guest: &mut std::process::Child) -> Result<()> {
    use environment::Clock;
    let clock = environment::SystemClock;
    let begun = clock.monotonic();
    loop {
        if guest.try_wait()?.is_some() {
            return Ok(());
        }
        if clock.monotonic() - begun > LIFE_MAX {
            guest.kill()?;
            guest.wait()?;
            bail!("the guest did not power off within {} seconds", LIFE_MAX.as_secs());
        }
        #[expect(
            clippy::disallowed_methods,
            reason = "another process is waited for, and std has no wait with a limit"
        )]
        std::thread::sleep(Duration::from_millis(50));
    }
}
