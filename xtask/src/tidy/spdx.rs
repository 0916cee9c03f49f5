//! License expressions (SPDX, with the older `/` for OR): whether some choice of them is allowed.
//!
//! Deliberately not here: knowing licenses. A name is allowed when it stands in the list, letter for letter.

/// How deep parentheses may lie; real expressions have one.
const DEPTH_MAX: usize = 8;

/// Whether the expression can be met with allowed licenses only; `None` when it is none.
pub(crate) fn is_allowed(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, place: 0, allowed };
    let answer = reader.any(0)?;
    (reader.place == words.len()).then_some(answer)
}

struct Reader<'a> {
    words: &'a [&'a str],
    place: usize,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Reader<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is_there = self.words.get(self.place) == Some(&word);
        self.place += usize::from(is_there);
        is_there
    }

    /// Choices: one that is allowed is enough.
    fn any(&mut self, depth: usize) -> Option<bool> {
        let mut answer = self.all(depth)?;
        while self.take("OR") {
            // Both sides are read, also when the first decides.
            answer |= self.all(depth)?;
        }
        Some(answer)
    }

    /// What must be met together.
    fn all(&mut self, depth: usize) -> Option<bool> {
        let mut answer = self.one(depth)?;
        while self.take("AND") {
            answer &= self.one(depth)?;
        }
        Some(answer)
    }

    fn one(&mut self, depth: usize) -> Option<bool> {
        if self.take("(") {
            if depth >= DEPTH_MAX {
                return None;
            }
            let answer = self.any(depth + 1)?;
            return self.take(")").then_some(answer);
        }
        let name = *self.words.get(self.place)?;
        if ["OR", "AND", "WITH", ")"].contains(&name) {
            return None;
        }
        self.place += 1;
        if self.take("WITH") {
            let exception = *self.words.get(self.place)?;
            self.place += 1;
            return Some((self.allowed)(&format!("{name} WITH {exception}")));
        }
        Some((self.allowed)(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(expression: &str) -> Option<bool> {
        let allowed = ["MIT", "ISC", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"];
        is_allowed(expression, &|name| allowed.contains(&name))
    }

    #[test]
    fn what_no_choice_allows_is_refused() {
        assert_eq!(answer("GPL-3.0-only"), Some(false));
        assert_eq!(answer("MIT AND GPL-3.0-only"), Some(false));
        assert_eq!(answer("(MIT OR ISC) AND MPL-2.0"), Some(false));
        assert_eq!(answer("GPL-2.0 WITH Classpath-exception-2.0"), Some(false));
    }

    #[test]
    fn what_is_no_expression_has_no_answer() {
        for broken in ["", "MIT OR", "OR MIT", "(MIT", "MIT)", "MIT ISC", "MIT WITH"] {
            assert_eq!(answer(broken), None, "{broken}");
        }
        assert_eq!(answer(&format!("{}MIT{}", "(".repeat(99), ")".repeat(99))), None);
    }

    #[test]
    fn one_allowed_choice_is_enough() {
        assert_eq!(answer("GPL-3.0-only OR MIT"), Some(true));
        assert_eq!(answer("Unlicense/MIT"), Some(true));
        assert_eq!(answer("(MIT OR Zlib) AND ISC"), Some(true));
        assert_eq!(answer("Apache-2.0 WITH LLVM-exception"), Some(true));
    }
}
