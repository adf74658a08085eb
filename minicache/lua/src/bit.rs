//! `bit`: operations on 32-bit integers (the library LuaBitOp).
//!
//! ```text
//! bit.band(255, 15)   15        bit.lshift(1, 31)   -2147483648
//! bit.tohex(255)      000000ff  bit.tohex(-1, -4)   FFFF
//! ```
//!
//! A number is reduced modulo 2^32, and results are signed.

use crate::value as lua;
use rilua::vm::state::LuaState;
use rilua::{LuaResult, RustFn, Val};

/// The functions of the library.
pub const FUNCTIONS: &[(&str, RustFn)] = &[
    ("tobit", |s| change(s, |a| a)),
    ("bnot", |s| change(s, |a| !a)),
    ("band", |s| fold(s, |a, b| a & b)),
    ("bor", |s| fold(s, |a, b| a | b)),
    ("bxor", |s| fold(s, |a, b| a ^ b)),
    ("lshift", |s| shift(s, |a, n| a << n)),
    ("rshift", |s| shift(s, |a, n| a >> n)),
    ("arshift", |s| shift(s, |a, n| (a as i32 >> n) as u32)),
    ("rol", |s| shift(s, u32::rotate_left)),
    ("ror", |s| shift(s, u32::rotate_right)),
    ("bswap", |s| change(s, u32::swap_bytes)),
    ("tohex", tohex),
];

/// Adding 2^52 + 2^51 leaves a number's integer part in the low bits of the mantissa.
fn bits(state: &LuaState, index: usize) -> LuaResult<u32> {
    Ok((state.check_number(index)? + 6_755_399_441_055_744.0).to_bits() as u32)
}

fn push(state: &mut LuaState, result: u32) -> LuaResult<u32> {
    lua::one(state, Val::Num(f64::from(result as i32)))
}

fn change(state: &mut LuaState, apply: fn(u32) -> u32) -> LuaResult<u32> {
    let result = apply(bits(state, 1)?);
    push(state, result)
}

/// Combines all arguments.
fn fold(state: &mut LuaState, combine: fn(u32, u32) -> u32) -> LuaResult<u32> {
    let mut result = bits(state, 1)?;
    for index in 2..=lua::count(state) {
        result = combine(result, bits(state, index)?);
    }
    push(state, result)
}

fn shift(state: &mut LuaState, apply: fn(u32, u32) -> u32) -> LuaResult<u32> {
    let result = apply(bits(state, 1)?, bits(state, 2)? & 31);
    push(state, result)
}

fn tohex(state: &mut LuaState) -> LuaResult<u32> {
    let (number, digits) = (bits(state, 1)?, state.opt_integer(2, 8)?);
    let upper = if digits < 0 { format!("{number:08X}") } else { format!("{number:08x}") };
    let kept = digits.unsigned_abs().min(8) as usize;
    let text = lua::string(state, &upper.as_bytes()[8 - kept..]);
    lua::one(state, text)
}
