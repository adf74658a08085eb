//! From the text of a script to a function.
//!
//! `rilua`'s compiler does it; this file bounds what it is given and what it makes:
//!
//! ```text
//! 1+1+1+ … +1        the compiler recurses for each operator: refused after 2,000
//! a .. b .. c        CONCAT 0 1 3: one step of any size. Becomes CONCAT 2 2 3, CONCAT 0 1 2
//! \27Lua…            bytecode is not source: a syntax error
//! ```

use crate::sandbox::ENVIRONMENT;
use crate::value::{self as lua, fail};
use rilua::compiler::{self, lexer::Lexer, token::Token};
use rilua::vm::closure::{Closure, LuaClosure, Upvalue};
use rilua::vm::instructions::{Instruction, OpCode};
use rilua::vm::proto::{Proto, ProtoRef};
use rilua::vm::state::{Gc, LuaState};
use rilua::{LuaResult, Table, Val};

/// Operators and calls in a row, in one expression. The compiler recurses for each of them, and
/// takes time that grows with the square of some.
const CHAIN_MAX: usize = 2000;
/// The longest text that is compiled. A tree of its syntax takes many times as much memory.
const SOURCE_MAX: usize = 4 << 20;

/// Compiles source text, never bytecode, to a function whose globals are those of scripts.
///
/// # Errors
/// A syntax error, as Lua words it.
pub fn compile(state: &mut LuaState, source: &[u8], name: &str) -> LuaResult<Val> {
    // The compiler takes a first line that begins with # for one of a shell, Redis does not.
    let source = match source.first() {
        Some(b'#') => [b" ", source].concat(),
        _ => source.to_vec(),
    };
    if source.len() > SOURCE_MAX {
        return Err(fail("chunk is too long"));
    }
    check_chains(&source, name)?;
    let mut proto = compiler::compile(&source, name)?;
    finish(ProtoRef::make_mut(&mut proto), &mut state.gc);
    let registry = Table::from_gc_ref(state.registry);
    let environment = lua::get(state, registry, ENVIRONMENT);
    let environment = lua::table(environment).expect("set by open");
    let mut closure = LuaClosure::new(ProtoRef::clone(&proto), environment.gc_ref());
    for _ in 0..proto.num_upvalues {
        closure.upvalues.push(state.gc.alloc_upvalue(Upvalue::new_closed(Val::Nil)));
    }
    Ok(Val::Function(state.gc.alloc_closure(Closure::Lua(closure))))
}

/// Refuses expressions on which the compiler would use up its stack, and long lists of `elseif`.
fn check_chains(source: &[u8], name: &str) -> LuaResult<()> {
    let mut lexer = Lexer::new(source, name);
    // The operators of the expression so far, for each bracket that is open.
    let (mut chains, mut branches, mut after_operand) = (vec![0], 0, false);
    // Mistakes are left for the compiler, which describes them.
    while let Ok((token, _)) = lexer.next() {
        let depth = chains.len();
        let chain = chains.last_mut().expect("the outermost is never popped");
        let is_operand = matches!(
            token,
            Token::Name(_) | Token::Number(_) | Token::Str(_) | Token::Char(b')' | b']' | b'}')
        );
        match token {
            Token::Eos => break,
            Token::ElseIf => branches += 1,
            Token::Char(b';' | b',' | b'=') | Token::Local | Token::Return | Token::End => {
                *chain = 0;
            }
            // A name after an operand begins a statement.
            Token::Name(_) if after_operand => *chain = 0,
            Token::Name(_) | Token::Number(_) | Token::Str(_) => {}
            Token::Char(b'(' | b'[' | b'{') => {
                *chain += 1;
                chains.push(0);
            }
            Token::Char(b')' | b']' | b'}') if depth > 1 => drop(chains.pop()),
            _ => *chain += 1,
        }
        after_operand = is_operand;
        if branches > CHAIN_MAX || chains.last().is_some_and(|chain| *chain > CHAIN_MAX) {
            return Err(fail("chunk has too many syntax levels"));
        }
    }
    Ok(())
}

/// Makes a compiled function ready to run: its strings become Lua's, and concatenations take two
/// operands at a time.
fn finish(proto: &mut Proto, gc: &mut Gc) {
    for (index, text) in proto.string_pool.drain(..) {
        proto.constants[index as usize] = Val::Str(gc.intern_string(&text));
    }
    proto.protos.iter_mut().for_each(|inner| finish(ProtoRef::make_mut(inner), gc));
    if proto.code.iter().any(|code| operands(*code) > 2) {
        split_concatenations(proto);
    }
}

/// The operands of an instruction that concatenates, or 0.
fn operands(code: u32) -> u32 {
    let code = Instruction::from_raw(code);
    if code.opcode() == OpCode::Concat { code.c() - code.b() + 1 } else { 0 }
}

/// `CONCAT A B C` joins the registers B to C at once. The same in steps, from the right:
///
/// ```text
/// CONCAT 0 1 3      CONCAT 2 2 3    CONCAT 0 1 2
/// ```
fn split_concatenations(proto: &mut Proto) {
    let mut places = Vec::with_capacity(proto.code.len() + 1);
    let mut place = 0;
    for code in &proto.code {
        places.push(place);
        place += operands(*code).max(2) as usize - 1;
    }
    places.push(place);

    let (code, lines) = (std::mem::take(&mut proto.code), std::mem::take(&mut proto.line_info));
    for (at, raw) in code.iter().enumerate() {
        let mut one = Instruction::from_raw(*raw);
        match one.opcode() {
            OpCode::Concat => {
                for left in (one.b() + 1..one.c()).rev() {
                    let step = Instruction::abc(OpCode::Concat, left, left, left + 1);
                    proto.code.push(step.raw());
                    proto.line_info.push(lines[at]);
                }
                one.set_c(one.b() + 1);
            }
            // Jumps count instructions, so those across a concatenation become longer.
            OpCode::Jmp | OpCode::ForLoop | OpCode::ForPrep => {
                let target = (at as i32 + 1 + one.sbx()) as usize;
                one.set_sbx(places[target] as i32 - places[at] as i32 - 1);
            }
            _ => {}
        }
        proto.code.push(one.raw());
        proto.line_info.push(lines[at]);
    }
}
