//! All output of xtask: progress and failures to stderr, results to stdout.
#![expect(clippy::print_stdout, reason = "this module is the output of a command-line program")]

use std::io::IsTerminal;

/// A line about what happens now.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        eprintln!("\x1b[1m==> {text}\x1b[0m");
    } else {
        eprintln!("==> {text}");
    }
}

/// A line for the person, without emphasis.
pub(crate) fn note(text: &str) {
    eprintln!("    {text}");
}

/// A line of the command's result.
pub(crate) fn result(text: &str) {
    println!("{text}");
}

/// An error with its causes, outermost first.
pub(crate) fn failure(error: &anyhow::Error) {
    eprintln!("error: {error}");
    for cause in error.chain().skip(1) {
        eprintln!("  because: {cause}");
    }
}

/// An error that is one sentence.
pub(crate) fn plain(sentence: &str) -> anyhow::Error {
    anyhow::anyhow!("{sentence}")
}

/// Lines in a box, so that they are found among the output of builds.
pub(crate) fn boxed(lines: &[String]) {
    let width = lines.iter().map(|line| line.chars().count()).max().unwrap_or(0);
    let bar = "─".repeat(width + 4);
    println!("\n┌{bar}┐");
    for line in lines {
        let rest = " ".repeat(width.saturating_sub(line.chars().count()));
        println!("│  {line}{rest}  │");
    }
    println!("└{bar}┘\n");
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_error_of_one_sentence_has_no_cause() {
        assert_eq!(super::plain("no").chain().count(), 1);
    }
}
