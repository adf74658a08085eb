//! The line of the source file that a word is on.
//!
//! The standard library's `line!()` cannot tell: inside of a macro it is the line where the
//! outermost macro was called, the same for all rows of a table. A word that was passed through
//! macros still knows where it was written, and only a procedural macro may ask it.
//!
//! ```
//! macro_rules! lines {
//!     ($($word:ident)*) => { [$( minikit_line::line_of!($word) ),*] };
//! }
//!
//! let [first, second] = lines! {
//!     apples
//!     pears
//! };
//! assert_eq!(second, first + 1);
//! ```
//!
//! Tables of byte layouts use it, so that a byte in a hexdump leads to the line that declares it.

use proc_macro::{Literal, TokenStream, TokenTree};

/// The line that a word is on, a number; 0 without a word.
#[proc_macro]
pub fn line_of(word: TokenStream) -> TokenStream {
    let line = word.into_iter().next().map_or(0, |word| word.span().line());
    TokenTree::from(Literal::usize_unsuffixed(line)).into()
}
