//! Checkpoints that tests make: values in the form in which torch.save writes them, in the old container.

use super::legacy::MAGIC;

/// A Python value.
pub enum Made {
    Dict(Vec<(String, Made)>),
    Tuple(Vec<Made>),
    Number(i32),
    /// Of 32-bit floats: shape and values.
    Tensor(Vec<usize>, Vec<f32>),
    /// Of one number that is repeated: a shape without a size.
    Same(Vec<usize>, f32),
    /// A tensor whose storage has another class and this many bytes a number: what is not read.
    Odd(&'static str, usize),
    /// Opcodes that leave one value; `%` stands for a tensor `[2]` of zeros.
    Opcodes(&'static [u8]),
}

impl Made {
    pub fn dict<K: Into<String>>(pairs: impl IntoIterator<Item = (K, Self)>) -> Self {
        Self::Dict(pairs.into_iter().map(|(key, value)| (key.into(), value)).collect())
    }

    /// The file.
    pub fn file(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.write(self);
        let head = b"\x80\x02M\xe9\x03.\x80\x02}X\x0d\x00\x00\x00little_endian\x88s.";
        let keys = (0..writer.storages.len()).flat_map(|i| text(&i.to_string())).collect::<Vec<u8>>();
        let keys = [b"\x80\x02(".as_slice(), &keys, b"l."].concat();
        let mut file = [MAGIC.as_slice(), head, b"\x80\x02", &writer.opcodes, b".", &keys].concat();
        for (count, bytes) in writer.storages {
            file.extend_from_slice(&(count as i64).to_le_bytes());
            file.extend_from_slice(&bytes);
        }
        file
    }
}

fn text(text: &str) -> Vec<u8> {
    [b"X".as_slice(), &(text.len() as u32).to_le_bytes(), text.as_bytes()].concat()
}

fn int(v: usize) -> Vec<u8> {
    [b"J".as_slice(), &(v as i32).to_le_bytes()].concat()
}

#[derive(Default)]
struct Writer {
    opcodes: Vec<u8>,
    /// Numbers and bytes of each.
    storages: Vec<(usize, Vec<u8>)>,
}

impl Writer {
    fn write(&mut self, made: &Made) {
        match made {
            Made::Dict(pairs) => {
                self.opcodes.push(b'}');
                for (key, value) in pairs {
                    self.opcodes.extend(text(key));
                    self.write(value);
                    self.opcodes.push(b's');
                }
            }
            Made::Tuple(items) => {
                self.opcodes.push(b'(');
                for item in items {
                    self.write(item);
                }
                self.opcodes.push(b't');
            }
            Made::Number(v) => self.opcodes.extend(int(*v as usize)),
            Made::Tensor(shape, values) => {
                let mut stride = vec![1; shape.len()];
                for i in (1..shape.len()).rev() {
                    stride[i - 1] = stride[i] * shape[i];
                }
                self.tensor(
                    "FloatStorage",
                    shape,
                    &stride,
                    (values.len(), values.iter().flat_map(|v| v.to_le_bytes()).collect()),
                );
            }
            Made::Same(shape, value) => {
                self.tensor("FloatStorage", shape, &vec![0; shape.len()], (1, value.to_le_bytes().to_vec()));
            }
            Made::Odd(class, size) => self.tensor(class, &[2], &[1], (2, vec![0; 2 * size])),
            Made::Opcodes(opcodes) => {
                for (i, piece) in opcodes.split(|b| *b == b'%').enumerate() {
                    if i > 0 {
                        self.tensor("FloatStorage", &[2], &[1], (2, vec![0; 8]));
                    }
                    self.opcodes.extend_from_slice(piece);
                }
            }
        }
    }

    fn tensor(&mut self, class: &str, shape: &[usize], stride: &[usize], storage: (usize, Vec<u8>)) {
        let tuple = |numbers: &[usize]| [b"(".to_vec(), numbers.iter().flat_map(|&n| int(n)).collect(), b"t".to_vec()].concat();
        self.opcodes.extend_from_slice(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.opcodes.extend(text("storage"));
        self.opcodes.extend_from_slice(format!("ctorch\n{class}\n").as_bytes());
        self.opcodes.extend(text(&self.storages.len().to_string()));
        self.opcodes.extend(text("cpu"));
        self.opcodes.extend(int(storage.0));
        self.opcodes.extend_from_slice(b"tQ");
        self.opcodes.extend(int(0));
        self.opcodes.extend([tuple(shape), tuple(stride)].concat());
        self.opcodes.extend_from_slice(b"\x89NtR");
        self.storages.push(storage);
    }
}
