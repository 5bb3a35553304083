//! Reads Python pickles into inert values: nothing is called, nothing is imported, nothing is executed.
//!
//! A pickle is a program for a small stack machine. This one runs it far enough to know what it would build: where Python would
//! call a function, the answer is [`Value::Call`], which only says which function and with what. Who needs a meaning gives it to the
//! few calls he knows (a tensor, a numpy array); all others stay unopened, a pickled lambda like any other.
//!
//! Values lie in one arena and name each other by [`Id`], so that what is shared is held once and a list that contains itself is
//! neither a leak nor an endless recursion. Text and bytes are borrowed from the file. Memory is bounded by the file's length and by
//! [`Limits`]. What walks the values must count on cycles.

mod literals;
mod machine;
pub mod numpy;

use std::borrow::Cow;
use std::collections::HashSet;

/// A value's place in its [`Pickle`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Id(u32);

impl Id {
    /// Its number among [`Pickle::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One Python value, its parts by [`Id`].
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    None,
    Bool(bool),
    Int(i64),
    /// A whole number that is no `i64`: two's complement, least byte first.
    BigInt(Cow<'a, [u8]>),
    Float(f64),
    Text(Cow<'a, str>),
    /// Also Python 2's `str`.
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// A set or frozenset, as written: nothing is compared.
    Set(Vec<Id>),
    /// As written: of equal keys the last counts.
    Dict(Vec<(Id, Id)>),
    /// A class or function by name. It is not looked up.
    Global {
        module: Cow<'a, str>,
        name: Cow<'a, str>,
    },
    Call(Box<Call>),
    /// What the writer kept outside of the pickle, by the name it gave it.
    PersistentId(Id),
}

/// What Python would make by calling something. Never called.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    pub callable: Id,
    /// A tuple of positional arguments, in the pickles of Python itself.
    pub arguments: Id,
    /// What the made object would be given by `__setstate__`.
    pub state: Option<Id>,
    /// What would be set by key (an `OrderedDict`'s content) and appended (a `deque`'s).
    pub items: Vec<(Id, Id)>,
    pub appended: Vec<Id>,
}

/// How much a pickle may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Length of the pickle in bytes.
    pub bytes: usize,
    /// Marks and values that wait on the machine's stack at one time: what nests deeper than this is refused.
    pub depth: usize,
    /// Values in all.
    pub objects: usize,
    /// Values that are remembered for later use.
    pub memo: usize,
}

impl Default for Limits {
    /// Far above any checkpoint or CIFAR batch: 1 GiB, 1,000,000 on the stack, 4,000,000 values.
    fn default() -> Self {
        Self { bytes: 1 << 30, depth: 1_000_000, objects: 4_000_000, memo: 4_000_000 }
    }
}

/// What is wrong with a pickle, and at which byte of it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the pickle: {why}")]
pub struct PickleError {
    pub at: usize,
    pub why: String,
    /// Whether more bytes might have helped.
    pub truncated: bool,
}

/// The values of one pickle.
#[derive(Clone, Debug)]
pub struct Pickle<'a> {
    values: Vec<Value<'a>>,
    root: Id,
}

/// Reads the pickle that `bytes` begins with. Also says how many bytes it took: files hold several in a row.
///
/// # Errors
/// A truncated or malformed pickle, an opcode no real file needs (extension registry, out-of-band buffers), or a limit reached.
pub fn load<'a>(bytes: &'a [u8], limits: &Limits) -> Result<(Pickle<'a>, usize), PickleError> {
    machine::Machine::new(bytes, limits).run()
}

impl<'a> Pickle<'a> {
    pub fn root(&self) -> Node<'_, 'a> {
        self.node(self.root)
    }

    pub fn node(&self, id: Id) -> Node<'_, 'a> {
        Node { pickle: self, id }
    }

    /// All values, in the order they were made.
    pub fn nodes(&self) -> impl Iterator<Item = Node<'_, 'a>> {
        (0..self.values.len()).map(|i| self.node(Id(i as u32)))
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Names of the functions and classes that are called anywhere in it, sorted: what a Python would run to read it.
    pub fn callables(&self) -> Vec<String> {
        let mut seen = HashSet::new();
        for value in &self.values {
            if let Value::Call(call) = value
                && let Some((module, name)) = self.node(call.callable).global()
            {
                seen.insert(format!("{module}.{name}"));
            }
        }
        let mut names: Vec<String> = seen.into_iter().collect();
        names.sort();
        names
    }
}

/// A value together with the pickle it lies in.
#[derive(Clone, Copy)]
pub struct Node<'p, 'a> {
    pickle: &'p Pickle<'a>,
    id: Id,
}

impl<'p, 'a> Node<'p, 'a> {
    pub fn id(self) -> Id {
        self.id
    }

    pub fn value(self) -> &'p Value<'a> {
        &self.pickle.values[self.id.0 as usize]
    }

    #[must_use]
    pub fn at(self, id: Id) -> Self {
        self.pickle.node(id)
    }

    /// Text, or Python 2's `str` where it is UTF-8.
    pub fn text(self) -> Option<&'p str> {
        match self.value() {
            Value::Text(text) => Some(text),
            Value::Bytes(bytes) => std::str::from_utf8(bytes).ok(),
            _ => None,
        }
    }

    /// A whole number; booleans are none.
    pub fn int(self) -> Option<i64> {
        match self.value() {
            Value::Int(v) => Some(*v),
            _ => None,
        }
    }

    /// A whole number that can count something.
    pub fn count(self) -> Option<usize> {
        self.int().and_then(|v| usize::try_from(v).ok())
    }

    /// A float or a whole number.
    pub fn real(self) -> Option<f64> {
        match self.value() {
            Value::Float(v) => Some(*v),
            Value::Int(v) => Some(*v as f64),
            _ => None,
        }
    }

    /// Bytes: as they are, or as Python 3 writes them in old protocols, `_codecs.encode(text, 'latin1')` and `bytes()`.
    pub fn bytes(self) -> Option<Cow<'p, [u8]>> {
        match self.value() {
            Value::Bytes(bytes) => Some(Cow::Borrowed(bytes)),
            Value::Call(_) => {
                let (arguments, name) = (self.arguments()?, self.called()?);
                match (name, arguments.as_slice()) {
                    (("_codecs", "encode"), [text, codec]) if matches!(codec.text(), Some("latin1" | "latin-1")) => {
                        let Value::Text(text) = text.value() else { return None };
                        let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(u32::from(c)).ok()).collect();
                        bytes.map(Cow::Owned)
                    }
                    (("builtins" | "__builtin__", "bytes"), []) => Some(Cow::Owned(Vec::new())),
                    (("builtins" | "__builtin__", "bytearray"), [bytes]) if matches!(bytes.value(), Value::Bytes(_)) => {
                        bytes.bytes()
                    }
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// What a list, tuple or set holds.
    pub fn items(self) -> Option<impl ExactSizeIterator<Item = Self>> {
        match self.value() {
            Value::List(ids) | Value::Tuple(ids) | Value::Set(ids) => Some(ids.iter().map(move |&id| self.at(id))),
            _ => None,
        }
    }

    /// What a dict holds, an `OrderedDict` or `defaultdict` too, in the order written.
    pub fn entries(self) -> Option<impl ExactSizeIterator<Item = (Self, Self)> + DoubleEndedIterator> {
        let mut pairs = Vec::new();
        match self.value() {
            Value::Dict(own) => pairs.extend(own.iter().map(|&(key, value)| (self.at(key), self.at(value)))),
            Value::Call(call) if matches!(self.called(), Some(("collections", "OrderedDict" | "defaultdict"))) => {
                // Python 2 gives the content of an OrderedDict as its one argument, a list of pairs.
                let first = self.arguments().and_then(|arguments| arguments.first().copied());
                for pair in first.and_then(Self::items).into_iter().flatten() {
                    let pair: Vec<Self> = pair.items()?.collect();
                    let [key, value] = pair.as_slice() else { return None };
                    pairs.push((*key, *value));
                }
                pairs.extend(call.items.iter().map(|&(key, value)| (self.at(key), self.at(value))));
            }
            _ => return None,
        }
        Some(pairs.into_iter())
    }

    /// A dict's value by a key that is text or bytes.
    pub fn get(self, key: &str) -> Option<Self> {
        let is = |node: Self| node.text().map_or_else(|| node.bytes().as_deref() == Some(key.as_bytes()), |text| text == key);
        self.entries()?.rev().find(|(k, _)| is(*k)).map(|(_, value)| value)
    }

    /// Module and name of a class or function.
    pub fn global(self) -> Option<(&'p str, &'p str)> {
        match self.value() {
            Value::Global { module, name } => Some((module, name)),
            _ => None,
        }
    }

    pub fn call(self) -> Option<&'p Call> {
        match self.value() {
            Value::Call(call) => Some(call),
            _ => None,
        }
    }

    /// Module and name of what would be called.
    pub fn called(self) -> Option<(&'p str, &'p str)> {
        self.at(self.call()?.callable).global()
    }

    /// The positional arguments of a call.
    pub fn arguments(self) -> Option<Vec<Self>> {
        self.at(self.call()?.arguments).items().map(Iterator::collect)
    }

    /// What the writer kept outside, by its name for it.
    pub fn persistent(self) -> Option<Self> {
        match self.value() {
            Value::PersistentId(id) => Some(self.at(*id)),
            _ => None,
        }
    }

    /// In a few words what it is, for listings: `dict of 3`, `float 0.5`, `dill._dill._create_function(...)`.
    pub fn describe(self) -> String {
        let short = |text: &str| {
            let cut: String = text.chars().take(40).collect();
            if cut.len() < text.len() { format!("{cut}...") } else { cut }
        };
        match self.value() {
            Value::None => "None".into(),
            Value::Bool(v) => format!("bool {v}"),
            Value::Int(v) => format!("int {v}"),
            Value::BigInt(v) => format!("int of {} bytes", v.len()),
            Value::Float(v) => format!("float {v}"),
            Value::Text(text) => format!("text {:?}", short(text)),
            Value::Bytes(bytes) => format!("{} bytes", bytes.len()),
            Value::List(ids) => format!("list of {}", ids.len()),
            Value::Tuple(ids) => format!("tuple of {}", ids.len()),
            Value::Set(ids) => format!("set of {}", ids.len()),
            Value::Dict(pairs) => format!("dict of {}", pairs.len()),
            Value::Global { module, name } => short(&format!("{module}.{name}")),
            Value::Call(call) => match (self.called(), self.entries()) {
                (Some(("collections", "OrderedDict")), Some(entries)) => format!("dict of {}", entries.len()),
                (Some((module, name)), _) => format!("{}(...)", short(&format!("{module}.{name}"))),
                (None, _) => format!("a call of {}", if self.at(call.callable).call().is_some() { "a call" } else { "a value" }),
            },
            Value::PersistentId(_) => "something kept outside".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::numpy::{Endian, Order};
    use super::*;

    fn golden(name: &str) -> Vec<u8> {
        std::fs::read(format!("{}/tests/golden/pickle/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
    }

    fn refused(bytes: &[u8], limits: &Limits) -> String {
        load(bytes, limits).expect_err("must be refused").to_string()
    }

    #[test]
    fn every_protocol_gives_the_same_values() {
        for protocol in 0..6 {
            let bytes = golden(&format!("protocol-{protocol}.pkl"));
            let (pickle, taken) = load(&bytes, &Limits::default()).unwrap_or_else(|e| panic!("protocol {protocol}: {e}"));
            assert_eq!(taken, bytes.len());
            let get = |key: &str| pickle.root().get(key).unwrap_or_else(|| panic!("protocol {protocol}: {key}"));
            assert_eq!(get("none").value(), &Value::None);
            // Protocols 0 and 1 write booleans as I01 and I00.
            assert_eq!((get("yes").value(), get("no").value()), (&Value::Bool(true), &Value::Bool(false)));
            assert_eq!((get("small").int(), get("negative").int(), get("large").int()), (Some(7), Some(-300), Some(1 << 40)));
            let Value::BigInt(huge) = get("huge").value() else { panic!("{:?}", get("huge").value()) };
            let mut sixteen = [0xff; 16];
            sixteen[..huge.len()].copy_from_slice(huge);
            assert_eq!(i128::from_le_bytes(sixteen), -(1i128 << 80) - 5);
            assert_eq!(get("half").real(), Some(0.5));
            assert_eq!(get("text").text(), Some("caf\u{e9} \u{2713} \\u \n"));
            assert_eq!(get("bytes").bytes().as_deref(), Some(b"\x00\xff'\n".as_slice()));
            let nested = get("list").items().unwrap().nth(1).unwrap().items().unwrap().nth(1).unwrap();
            assert_eq!(nested.items().unwrap().filter_map(Node::int).collect::<Vec<_>>(), [3, 4, 5, 6]);
            assert_eq!(
                get("empty").items().unwrap().map(Node::describe).collect::<Vec<_>>(),
                ["tuple of 0", "list of 0", "dict of 0"]
            );
            let ordered = get("ordered").entries().unwrap().map(|(k, v)| (k.text().unwrap(), v.int().unwrap()));
            assert_eq!(ordered.collect::<Vec<_>>(), [("b", 1), ("a", 2)]);
            assert_eq!(get("one").id(), get("same").id());
            assert_eq!(get("cycle").items().unwrap().next().unwrap().id(), get("cycle").id());

            let u1 = get("u1").array().unwrap().unwrap();
            assert_eq!(
                (u1.dtype.kind, u1.dtype.endian, u1.order, u1.shape.as_slice()),
                ('u', Endian::Neither, Order::C, [3, 4].as_slice())
            );
            assert_eq!(u1.data.as_ref(), (0..12).collect::<Vec<u8>>());
            let f4 = get("f4").array().unwrap().unwrap();
            assert_eq!((f4.dtype.kind, f4.dtype.size, f4.data.as_ref()), ('f', 4, [0, 0, 0xc0, 0x3f, 0, 0, 0, 0xc0].as_slice()));
            let big = get("big").array().unwrap().unwrap();
            assert_eq!((big.dtype.endian, big.data.as_ref()), (Endian::Big, [0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3].as_slice()));
            let fortran = get("fortran").array().unwrap().unwrap();
            assert_eq!((fortran.order, fortran.data[8], fortran.data[16]), (Order::Fortran, 3, 1));
            assert_eq!((get("scalar").number(), get("scalar4").number()), (Some(0.25), Some(-3.0)));
        }
    }

    #[test]
    fn cifar_batches_of_both_pythons_are_the_same() {
        let (two, three) = (golden("cifar-python2.pkl"), golden("cifar-python3.pkl"));
        let (two, three) = (load(&two, &Limits::default()).unwrap().0, load(&three, &Limits::default()).unwrap().0);
        let labels = |p: &Pickle| p.root().get("labels").unwrap().items().unwrap().filter_map(Node::int).collect::<Vec<_>>();
        assert_eq!(labels(&two), [3, 9]);
        let array = two.root().get("data").unwrap().array().unwrap().unwrap();
        assert_eq!(array.shape, [2, 3072]);
        assert_eq!(array.data[3072], (3072 % 251) as u8);
        assert_eq!(array, three.root().get("data").unwrap().array().unwrap().unwrap());
        assert!(two.root().get("labels").unwrap().array().is_none());
        assert_eq!(two.callables(), ["numpy.core.multiarray._reconstruct", "numpy.dtype"]);
    }

    #[test]
    fn nothing_is_called_and_what_is_not_known_stays_closed() {
        let (pickle, _) = load(b"cos\nsystem\n(S'echo run > /tmp/ran'\ntR.", &Limits::default()).unwrap();
        assert_eq!(pickle.root().called(), Some(("os", "system")));
        assert_eq!(pickle.root().describe(), "os.system(...)");
        assert_eq!(pickle.callables(), ["os.system"]);
    }

    #[test]
    fn an_ordered_dict_of_python_2_is_a_dict() {
        let bytes = b"ccollections\nOrderedDict\n((lp0\n(lp1\nS'b'\naI1\naa(lS'a'\naI2\naatR.";
        let (pickle, _) = load(bytes, &Limits::default()).unwrap();
        assert_eq!(pickle.root().get("b").unwrap().int(), Some(1));
        assert_eq!(pickle.root().get("a").unwrap().int(), Some(2));
    }

    #[test]
    fn faults_say_where_they_are() {
        let all = Limits::default();
        for (bytes, says) in [
            (b"".as_slice(), "byte 0 of the pickle: 1 more bytes are needed and 0 are left: truncated?"),
            (b"\x80\x02]", "byte 3"),
            (b"\x80\x09.", "protocol 9"),
            (b"N\xfa.", "byte 1 of the pickle: 0xfa is no pickle opcode"),
            (b"B\xff\xff\xff\xffab.", "4294967295 more bytes are needed"),
            (b"\x8e\xff\xff\xff\xff\xff\xff\xff\xffab.", "truncated"),
            (b"X\x02\x00\x00\x00\xff\xfe.", "not UTF-8"),
            (b".", "a value is missing"),
            (b"NR.", "a value is missing"),
            (b"(NR.", "a value is missing"),
            (b"t.", "a mark is missing"),
            (b"(Nd.", "a key without a value"),
            (b"NNa.", "what is no list"),
            (b"NNNs.", "what is no dict"),
            (b"NNb.", "takes none"),
            (b"h\x07.", "never remembered"),
            (b"I12x\n.", "'12x' is no whole number"),
            (b"F1.2.3\n.", "'1.2.3' is no number"),
            (b"S'abc\n.", "without its quotes"),
            (b"\x82\x01.", "extension registry"),
            (b"\x97.", "outside of the file"),
            (b"cabc", "truncated"),
            (b"NN\x93.", "not named by text"),
        ] {
            let message = refused(bytes, &all);
            assert!(message.contains(says), "{message} does not say '{says}'");
        }
        for name in ["protocol-0.pkl", "protocol-2.pkl", "protocol-5.pkl"] {
            let whole = golden(name);
            for length in 0..whole.len() {
                assert!(refused(&whole[..length], &all).contains("truncated"), "{name} cut to {length}");
            }
        }
    }

    #[test]
    fn limits_hold_against_bombs() {
        let limits = Limits { bytes: 4096, depth: 100, objects: 1000, memo: 50 };
        assert!(refused(&[b'('; 4000], &limits).contains("nests deeper than the 100"));
        assert!(refused(&[b')'; 4000], &limits).contains("waiting on its stack than the 100"));
        assert!(refused(&b"]0".repeat(1500), &limits).contains("holds more values than the 1000"));
        assert!(refused(&[b"N".as_slice(), &[0x94; 4000]].concat(), &limits).contains("remembers more values than the 50"));
        assert!(refused(&b"]0".repeat(3000), &Limits { objects: 1 << 20, ..limits }).contains("longer in bytes than the 4096"));
    }

    #[test]
    fn deep_nesting_and_doubling_neither_recurse_nor_grow() {
        // A million lists, each in the next; Python would need a stack for that.
        let mut deep = b"]".repeat(900_000);
        deep.extend(b"a".repeat(899_999));
        deep.push(b'.');
        let (pickle, _) = load(&deep, &Limits::default()).unwrap();
        assert_eq!(pickle.len(), 900_000);
        let copy = pickle.clone();
        assert_eq!(copy.root().describe(), "list of 1");
        drop((pickle, copy));
        // 2^60 elements if shared values were copied: x = (x, x), sixty times.
        let doubling = [b"N".as_slice(), &b"2\x86".repeat(60), b"."].concat();
        assert_eq!(load(&doubling, &Limits::default()).unwrap().0.len(), 61);
    }
}
