//! The difference of two texts, line by line, as `diff -u` shows it.
//!
//! ```text
//! tests/scripts/expiry:14
//!  TTL ticket
//!  ---
//!  OK
//! -(integer) 1
//! +(integer) 0
//! ```
//!
//! The lines kept are a longest common subsequence, found with the textbook table: `common[i][j]`
//! is the length of the longest one of line `i` of one text and what follows, and line `j` of the
//! other and what follows. That takes `lines * lines` steps and words of memory; scripts are short,
//! and it runs only where a test fails. (GNU diff: Myers 1986, `diffseq.h`.)

/// Unchanged lines shown before and after a change.
const CONTEXT: usize = 3;

/// One line of the two texts laid over each other.
enum Line<'a> {
    Both(&'a str),
    Old(&'a str),
    New(&'a str),
}

/// What turns `old` into `new`: each stretch of changes under a line `file:line`, which is where
/// the first of them is in `old`. Empty where the texts have the same lines.
pub(super) fn unified(file: &str, old: &str, new: &str) -> String {
    let lines = compare(&old.lines().collect::<Vec<_>>(), &new.lines().collect::<Vec<_>>());
    let mut out = String::new();
    let mut old_line = 1;
    let mut in_stretch = false;
    for (index, line) in lines.iter().enumerate() {
        let shown = near_a_change(&lines, index);
        if shown && !in_stretch {
            let kept = lines[index..].iter().take_while(|it| matches!(it, Line::Both(_))).count();
            out.push_str(&format!("{file}:{}\n", old_line + kept));
        }
        in_stretch = shown;
        if shown {
            out.push_str(&marked(line));
        }
        old_line += usize::from(!matches!(line, Line::New(_)));
    }
    out
}

fn near_a_change(lines: &[Line<'_>], index: usize) -> bool {
    let end = (index + CONTEXT + 1).min(lines.len());
    lines[index.saturating_sub(CONTEXT)..end].iter().any(|it| !matches!(it, Line::Both(_)))
}

fn marked(line: &Line<'_>) -> String {
    match line {
        Line::Both(text) => format!(" {text}\n"),
        Line::Old(text) => format!("-{text}\n"),
        Line::New(text) => format!("+{text}\n"),
    }
}

/// Lays the texts over each other; where they differ, what goes stands before what comes.
fn compare<'a>(old: &[&'a str], new: &[&'a str]) -> Vec<Line<'a>> {
    let common = common_lines(old, new);
    let (mut i, mut j) = (0, 0);
    let mut lines = Vec::new();
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            lines.push(Line::Both(old[i]));
            (i, j) = (i + 1, j + 1);
        } else if i < old.len() && (j == new.len() || common[i + 1][j] >= common[i][j + 1]) {
            lines.push(Line::Old(old[i]));
            i += 1;
        } else {
            lines.push(Line::New(new[j]));
            j += 1;
        }
    }
    lines
}

/// The table of the head of the file, with a row and a column of zeros behind the last lines.
fn common_lines(old: &[&str], new: &[&str]) -> Vec<Vec<usize>> {
    let mut common = vec![vec![0; new.len() + 1]; old.len() + 1];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i][j] = match old[i] == new[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_no_difference() {
        assert_eq!(unified("f", "a\nb\n", "a\nb\n"), "");
        assert_eq!(unified("f", "", ""), "");
    }

    #[test]
    fn a_change_is_shown_between_three_lines_each_way() {
        let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
        let new = "1\n2\n3\n4\nfive\n6\n7\n8\n9\n";
        assert_eq!(unified("f", old, new), "f:5\n 2\n 3\n 4\n-5\n+five\n 6\n 7\n 8\n");
    }

    #[test]
    fn far_changes_make_two_stretches_with_places_in_the_old_text() {
        let old = "a\n1\n2\n3\n4\n5\n6\n7\nz\n";
        let new = "a\nnew\n1\n2\n3\n4\n5\n6\n7\n";
        let expected = "f:2\n a\n+new\n 1\n 2\n 3\nf:9\n 5\n 6\n 7\n-z\n";
        assert_eq!(unified("f", old, new), expected);
    }

    #[test]
    fn from_nothing_and_to_nothing() {
        assert_eq!(unified("f", "", "a\nb\n"), "f:1\n+a\n+b\n");
        assert_eq!(unified("f", "a\nb\n", ""), "f:1\n-a\n-b\n");
    }

    /// Whatever is kept or taken out is the old text, whatever is kept or put in is the new one,
    /// and no longer common text exists: checked against trying all subsequences.
    #[test]
    fn all_short_texts_over_two_letters() {
        let texts = |length: u32| {
            (0..2u32.pow(length)).map(move |bits| {
                (0..length).map(|i| ["a", "b"][(bits >> i & 1) as usize]).collect::<Vec<_>>()
            })
        };
        for (old, new) in texts(4).flat_map(|old| texts(3).map(move |new| (old.clone(), new))) {
            let lines = compare(&old, &new);
            let side = |this: fn(&Line<'static>) -> Option<&'static str>| {
                lines.iter().filter_map(this).collect::<Vec<_>>()
            };
            assert_eq!(side(|it| if let Line::New(_) = it { None } else { Some(text(it)) }), old);
            assert_eq!(side(|it| if let Line::Old(_) = it { None } else { Some(text(it)) }), new);
            let kept = lines.iter().filter(|it| matches!(it, Line::Both(_))).count();
            assert_eq!(kept, longest_by_trying(&old, &new), "{old:?} {new:?}");
        }
    }

    fn text(line: &Line<'static>) -> &'static str {
        match line {
            Line::Both(text) | Line::Old(text) | Line::New(text) => text,
        }
    }

    fn longest_by_trying(old: &[&str], new: &[&str]) -> usize {
        let choices = 0..1u32 << old.len();
        let chosen = choices.filter(|choice| {
            let mut rest = new.iter();
            let mut picked = old.iter().enumerate().filter(|(i, _)| choice >> i & 1 == 1);
            picked.all(|(_, line)| rest.any(|it| it == line))
        });
        chosen.map(|choice| choice.count_ones() as usize).max().expect("none is a choice, too")
    }
}
