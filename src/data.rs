//! to come
pub struct Images {
    pub pixels: Vec<u8>,
    pub labels: Vec<u8>,
    pub shape: [usize; 3],
}
pub struct DataSet {
    pub name: String,
    pub classes: Vec<String>,
    pub train: Images,
    pub validation: Images,
    pub test: Images,
}
