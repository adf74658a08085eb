//! Tokens, taken one by one.

use minibtree_places::syntax::syntax_at;
use minibtree_types::error::{Result, SqlError};
use minibtree_types::unsupported;
use sqlparser::tokenizer::{Token, TokenWithSpan, Word};

/// The rest of a statement.
pub struct Words<'a> {
    pub tokens: &'a [TokenWithSpan],
}

impl<'a> Words<'a> {
    pub fn next(&self) -> Option<&'a Token> {
        self.tokens.first().map(|it| &it.token)
    }

    /// Passes over the next token.
    pub fn skip(&mut self) {
        self.tokens = self.tokens.get(1..).unwrap_or(&[]);
    }

    /// Takes this word, in any case, if it is next.
    pub fn accept(&mut self, word: &str) -> bool {
        let is_meant =
            |next: &Word| next.quote_style.is_none() && next.value.eq_ignore_ascii_case(word);
        let is_next = matches!(self.next(), Some(Token::Word(next)) if is_meant(next));
        self.tokens = &self.tokens[usize::from(is_next)..];
        is_next
    }

    /// Takes these words, if they are next.
    pub fn accept_all(&mut self, words: &str) -> bool {
        let before = self.tokens;
        let are_next = words.split(' ').all(|word| self.accept(word));
        if !are_next {
            self.tokens = before;
        }
        are_next
    }

    pub fn symbol(&mut self, symbol: &Token) -> bool {
        let is_next = self.next() == Some(symbol);
        self.tokens = &self.tokens[usize::from(is_next)..];
        is_next
    }

    pub fn expect(&mut self, symbol: &Token) -> Result<()> {
        if self.symbol(symbol) { Ok(()) } else { Err(self.unexpected()) }
    }

    /// Takes a string.
    pub fn string(&mut self) -> Option<String> {
        let (Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text)) = self.next()?
        else {
            return None;
        };
        self.skip();
        Some(text.clone())
    }

    /// Takes a number with its sign.
    pub fn number(&mut self) -> Result<Option<i64>> {
        let before = self.tokens;
        let is_negative = self.symbol(&Token::Minus);
        let _ = is_negative || self.symbol(&Token::Plus);
        let Some(Token::Number(digits, _)) = self.next() else {
            self.tokens = before;
            return Ok(None);
        };
        let number = digits.parse::<i32>().map_err(|_| self.unexpected())?;
        self.skip();
        Ok(Some(i64::from(if is_negative { -number } else { number })))
    }

    pub fn name(&mut self) -> Result<String> {
        let Some(Token::Word(word)) = self.next() else { return Err(self.unexpected()) };
        let name = match word.quote_style {
            Some(_) => word.value.clone(),
            None => word.value.to_lowercase(),
        };
        self.skip();
        Ok(name)
    }

    /// Takes names with commas between them.
    pub fn names(&mut self) -> Result<Vec<String>> {
        let mut names = vec![self.name()?];
        while self.symbol(&Token::Comma) {
            names.push(self.name()?);
        }
        Ok(names)
    }

    /// Takes the name of a table, without or with the schema `public`.
    pub fn table(&mut self) -> Result<String> {
        let first = self.name()?;
        if !self.symbol(&Token::Period) {
            return Ok(first);
        }
        let second = self.name()?;
        match first.as_str() {
            "public" => Ok(second),
            _ => Err(unsupported!("the name {first}.{second}")),
        }
    }

    pub fn end(&self) -> Result<()> {
        if self.tokens.is_empty() { Ok(()) } else { Err(self.unexpected()) }
    }

    pub fn unexpected(&self) -> SqlError {
        syntax_at(self.tokens.first())
    }
}
