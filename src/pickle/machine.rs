//! The stack machine: opcodes of protocols 0 to 5 as Python's `pickletools` describes them.
//!
//! No opcode recurses, so nesting costs heap within the limits and never the thread's stack.

use super::literals;
use super::{Call, Id, Limits, Pickle, PickleError, Value};
use std::borrow::Cow;
use std::collections::HashMap;

pub(super) struct Machine<'a, 'l> {
    bytes: &'a [u8],
    limits: &'l Limits,
    at: usize,
    /// Where the opcode began that is being read, for errors.
    begun: usize,
    values: Vec<Value<'a>>,
    stack: Vec<Id>,
    /// Heights of the stack.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

type Done<T = ()> = Result<T, PickleError>;

impl<'a, 'l> Machine<'a, 'l> {
    pub fn new(bytes: &'a [u8], limits: &'l Limits) -> Self {
        let (values, stack, marks) = (Vec::new(), Vec::new(), Vec::new());
        Self {
            bytes: &bytes[..bytes.len().min(limits.bytes)],
            limits,
            at: 0,
            begun: 0,
            values,
            stack,
            marks,
            memo: HashMap::new(),
        }
    }

    pub fn run(mut self) -> Done<(Pickle<'a>, usize)> {
        loop {
            self.begun = self.at;
            let opcode = self.byte()?;
            if opcode == b'.' {
                let root = self.pop()?;
                return Ok((Pickle { values: self.values, root }, self.at));
            }
            self.step(opcode)?;
        }
    }

    fn step(&mut self, opcode: u8) -> Done {
        match opcode {
            // Protocol and framing say nothing about the values.
            0x80 => match self.byte()? {
                0..=5 => Ok(()),
                protocol => Err(self.error(format!("pickle protocol {protocol}; 0 to 5 are known"))),
            },
            0x95 => self.take(8).map(|_| ()),

            // Numbers
            b'N' => self.push(Value::None),
            0x88 => self.push(Value::Bool(true)),
            0x89 => self.push(Value::Bool(false)),
            b'J' => {
                let v = i32::from_le_bytes(self.array()?);
                self.push(Value::Int(i64::from(v)))
            }
            b'K' => {
                let v = self.byte()?;
                self.push(Value::Int(i64::from(v)))
            }
            b'M' => {
                let v = u16::from_le_bytes(self.array()?);
                self.push(Value::Int(i64::from(v)))
            }
            b'G' => {
                let v = f64::from_be_bytes(self.array()?);
                self.push(Value::Float(v))
            }
            0x8a => {
                let n = usize::from(self.byte()?);
                self.long(n)
            }
            0x8b => {
                let n = self.length32()?;
                self.long(n)
            }
            b'I' => match self.line()? {
                "00" => self.push(Value::Bool(false)),
                "01" => self.push(Value::Bool(true)),
                digits => self.decimal(digits),
            },
            b'L' => {
                let line = self.line()?;
                self.decimal(line.strip_suffix('L').unwrap_or(line))
            }
            b'F' => {
                let line = self.line()?;
                let v = line.parse().map_err(|_| self.error(format!("'{}' is no number", literals::short(line))))?;
                self.push(Value::Float(v))
            }

            // Text and bytes
            b'X' => {
                let n = self.length32()?;
                self.text(n)
            }
            0x8c => {
                let n = usize::from(self.byte()?);
                self.text(n)
            }
            0x8d => {
                let n = self.length64()?;
                self.text(n)
            }
            b'V' => {
                let line = self.raw_line()?;
                let text = literals::raw_unicode(line).map_err(|why| self.error(why))?;
                self.push(Value::Text(text))
            }
            b'B' | b'T' => {
                let n = self.length32()?;
                self.blob(n)
            }
            b'C' | b'U' => {
                let n = usize::from(self.byte()?);
                self.blob(n)
            }
            0x8e | 0x96 => {
                let n = self.length64()?;
                self.blob(n)
            }
            b'S' => {
                let line = self.raw_line()?;
                let bytes = literals::quoted(line).map_err(|why| self.error(why))?;
                self.push(Value::Bytes(bytes))
            }
            0x98 => self.top().map(|_| ()), // a read-only view of the same bytes

            // Containers
            b']' => self.push(Value::List(Vec::new())),
            b')' => self.push(Value::Tuple(Vec::new())),
            b'}' => self.push(Value::Dict(Vec::new())),
            0x8f => self.push(Value::Set(Vec::new())),
            b'l' => {
                let items = self.since_mark()?;
                self.push(Value::List(items))
            }
            b't' => {
                let items = self.since_mark()?;
                self.push(Value::Tuple(items))
            }
            0x91 => {
                let items = self.since_mark()?;
                self.push(Value::Set(items))
            }
            b'd' => {
                let pairs = self.pairs_since_mark()?;
                self.push(Value::Dict(pairs))
            }
            0x85..=0x87 => {
                let n = usize::from(opcode - 0x84);
                let items = self.top_items(n)?;
                self.push(Value::Tuple(items))
            }
            b'a' => {
                let item = self.pop()?;
                self.extend(vec![item])
            }
            b'e' | 0x90 => {
                let items = self.since_mark()?;
                self.extend(items)
            }
            b's' => {
                let (value, key) = (self.pop()?, self.pop()?);
                self.set(vec![(key, value)])
            }
            b'u' => {
                let pairs = self.pairs_since_mark()?;
                self.set(pairs)
            }

            // The stack and the memo
            b'(' => {
                if self.marks.len() >= self.limits.depth {
                    return Err(self.limit("nests deeper than", self.limits.depth));
                }
                self.marks.push(self.stack.len());
                Ok(())
            }
            b'0' => match self.marks.last() {
                Some(&mark) if mark == self.stack.len() => self.since_mark().map(|_| ()),
                _ => self.pop().map(|_| ()),
            },
            b'1' => self.since_mark().map(|_| ()),
            b'2' => {
                let id = self.top()?;
                self.stack_up(id)
            }
            b'p' => {
                let index = self.line_index()?;
                self.remember(index)
            }
            b'q' => {
                let index = self.byte()?;
                self.remember(u64::from(index))
            }
            b'r' => {
                let index = u32::from_le_bytes(self.array()?);
                self.remember(u64::from(index))
            }
            0x94 => self.remember(self.memo.len() as u64),
            b'g' => {
                let index = self.line_index()?;
                self.recall(index)
            }
            b'h' => {
                let index = self.byte()?;
                self.recall(u64::from(index))
            }
            b'j' => {
                let index = u32::from_le_bytes(self.array()?);
                self.recall(u64::from(index))
            }

            // What Python would look up or call
            b'c' => {
                let (module, name) = (self.line()?, self.line()?);
                self.push(Value::Global { module: module.into(), name: name.into() })
            }
            0x93 => {
                let (name, module) = (self.pop()?, self.pop()?);
                let (Value::Text(module), Value::Text(name)) = (self.value(module), self.value(name)) else {
                    return Err(self.error("a class or function that is not named by text"));
                };
                let (module, name) = (module.clone(), name.clone());
                self.push(Value::Global { module, name })
            }
            b'R' | 0x81 => {
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            0x92 => {
                // Keyword arguments are nothing that a known class takes: they go with the positional ones.
                let (named, arguments, callable) = (self.pop()?, self.pop()?, self.pop()?);
                self.push(Value::Tuple(vec![arguments, named]))?;
                let both = self.pop()?;
                self.call(callable, both)
            }
            b'o' => {
                let mut items = self.since_mark()?;
                if items.is_empty() {
                    return Err(self.error("an object without a class"));
                }
                let callable = items.remove(0);
                self.push(Value::Tuple(items))?;
                let arguments = self.pop()?;
                self.call(callable, arguments)
            }
            b'i' => {
                let (module, name) = (self.line()?, self.line()?);
                let items = self.since_mark()?;
                self.push(Value::Global { module: module.into(), name: name.into() })?;
                self.push(Value::Tuple(items))?;
                let (arguments, callable) = (self.pop()?, self.pop()?);
                self.call(callable, arguments)
            }
            b'b' => {
                let (state, object) = (self.pop()?, self.top()?);
                match self.value_mut(object) {
                    Value::Call(call) => {
                        call.state = Some(state);
                        Ok(())
                    }
                    _ => Err(self.error("a state for something that takes none")),
                }
            }
            b'P' => {
                let line = self.line()?;
                self.push(Value::Text(line.into()))?;
                let name = self.pop()?;
                self.push(Value::PersistentId(name))
            }
            b'Q' => {
                let name = self.pop()?;
                self.push(Value::PersistentId(name))
            }
            0x82..=0x84 => Err(self.error("a class by its number in Python's extension registry, which is not known here")),
            0x97 => Err(self.error("a buffer that lies outside of the file")),
            unknown => Err(self.error(format!("0x{unknown:02x} is no pickle opcode"))),
        }
    }

    // --- reading

    fn error(&self, why: impl Into<String>) -> PickleError {
        PickleError { at: self.begun, why: why.into(), truncated: false }
    }

    fn truncated(&self, why: impl Into<String>) -> PickleError {
        PickleError { truncated: true, ..self.error(why) }
    }

    fn limit(&self, what: &str, limit: usize) -> PickleError {
        self.error(format!("{what} the {limit} that are allowed"))
    }

    fn take(&mut self, n: usize) -> Done<&'a [u8]> {
        match self.at.checked_add(n).and_then(|end| self.bytes.get(self.at..end)) {
            Some(taken) => {
                self.at += n;
                Ok(taken)
            }
            None if self.bytes.len() >= self.limits.bytes => Err(self.limit("is longer in bytes than", self.limits.bytes)),
            None => {
                Err(self.truncated(format!("{n} more bytes are needed and {} are left: truncated?", self.bytes.len() - self.at)))
            }
        }
    }

    fn byte(&mut self) -> Done<u8> {
        self.take(1).map(|b| b[0])
    }

    fn array<const N: usize>(&mut self) -> Done<[u8; N]> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn length32(&mut self) -> Done<usize> {
        // Signed in the oldest opcodes; above i32 the file would have to be longer than the limit anyway.
        Ok(u32::from_le_bytes(self.array()?) as usize)
    }

    fn length64(&mut self) -> Done<usize> {
        let n = u64::from_le_bytes(self.array()?);
        usize::try_from(n).map_err(|_| self.error(format!("a length of {n}")))
    }

    fn raw_line(&mut self) -> Done<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        match rest.iter().position(|&b| b == b'\n') {
            Some(end) => {
                self.at += end + 1;
                Ok(&rest[..end])
            }
            None => Err(self.truncated("a line without end: truncated?")),
        }
    }

    fn line(&mut self) -> Done<&'a str> {
        let line = self.raw_line()?;
        std::str::from_utf8(line).map_err(|_| self.error("a line that is not UTF-8"))
    }

    fn line_index(&mut self) -> Done<u64> {
        let line = self.line()?;
        line.parse().map_err(|_| self.error(format!("'{}' is no memo number", literals::short(line))))
    }

    fn text(&mut self, n: usize) -> Done {
        let bytes = self.take(n)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.error("text that is not UTF-8"))?;
        self.push(Value::Text(text.into()))
    }

    fn blob(&mut self, n: usize) -> Done {
        let bytes = self.take(n)?;
        self.push(Value::Bytes(bytes.into()))
    }

    fn long(&mut self, n: usize) -> Done {
        let bytes = self.take(n)?;
        self.push(literals::whole(Cow::Borrowed(bytes)))
    }

    fn decimal(&mut self, text: &str) -> Done {
        let value = literals::decimal(text).map_err(|why| self.error(why))?;
        self.push(value)
    }

    // --- the stack

    fn value(&self, id: Id) -> &Value<'a> {
        &self.values[id.0 as usize]
    }

    fn value_mut(&mut self, id: Id) -> &mut Value<'a> {
        &mut self.values[id.0 as usize]
    }

    fn push(&mut self, value: Value<'a>) -> Done {
        let most = self.limits.objects.min(u32::MAX as usize);
        if self.values.len() >= most {
            return Err(self.limit("holds more values than", most));
        }
        let id = Id(self.values.len() as u32);
        self.values.push(value);
        self.stack_up(id)
    }

    fn stack_up(&mut self, id: Id) -> Done {
        if self.stack.len() >= self.limits.depth {
            return Err(self.limit("has more waiting on its stack than", self.limits.depth));
        }
        self.stack.push(id);
        Ok(())
    }

    /// The top of the stack, which may not lie below the last mark.
    fn top(&self) -> Done<Id> {
        let floor = self.marks.last().copied().unwrap_or(0);
        if self.stack.len() > floor { Ok(self.stack[self.stack.len() - 1]) } else { Err(self.error("a value is missing")) }
    }

    fn pop(&mut self) -> Done<Id> {
        let id = self.top()?;
        self.stack.pop();
        Ok(id)
    }

    fn top_items(&mut self, n: usize) -> Done<Vec<Id>> {
        let floor = self.marks.last().copied().unwrap_or(0);
        match self.stack.len().checked_sub(n) {
            Some(from) if from >= floor => Ok(self.stack.split_off(from)),
            _ => Err(self.error("a value is missing")),
        }
    }

    fn since_mark(&mut self) -> Done<Vec<Id>> {
        match self.marks.pop() {
            Some(mark) => Ok(self.stack.drain(mark..).collect()),
            None => Err(self.error("a mark is missing")),
        }
    }

    fn pairs_since_mark(&mut self) -> Done<Vec<(Id, Id)>> {
        let items = self.since_mark()?;
        if items.len() % 2 == 1 {
            return Err(self.error("a key without a value"));
        }
        Ok(items.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect())
    }

    fn extend(&mut self, items: Vec<Id>) -> Done {
        let target = self.top()?;
        match self.value_mut(target) {
            Value::List(list) | Value::Set(list) => list.extend(items),
            Value::Call(call) => call.appended.extend(items),
            _ => return Err(self.error("something is appended to what is no list")),
        }
        Ok(())
    }

    fn set(&mut self, pairs: Vec<(Id, Id)>) -> Done {
        let target = self.top()?;
        match self.value_mut(target) {
            Value::Dict(dict) => dict.extend(pairs),
            Value::Call(call) => call.items.extend(pairs),
            _ => return Err(self.error("a key is set in what is no dict")),
        }
        Ok(())
    }

    fn call(&mut self, callable: Id, arguments: Id) -> Done {
        self.push(Value::Call(Box::new(Call { callable, arguments, state: None, items: Vec::new(), appended: Vec::new() })))
    }

    fn remember(&mut self, index: u64) -> Done {
        let id = self.top()?;
        if self.memo.len() >= self.limits.memo && !self.memo.contains_key(&index) {
            return Err(self.limit("remembers more values than", self.limits.memo));
        }
        self.memo.insert(index, id);
        Ok(())
    }

    fn recall(&mut self, index: u64) -> Done {
        match self.memo.get(&index) {
            Some(&id) => self.stack_up(id),
            None => Err(self.error(format!("value {index} is recalled and was never remembered"))),
        }
    }
}
