//! Numbers that survive being written: NaN and infinities come back as they were.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A measured number. JSON has no NaN, and a log that turns it into `null` hides the one thing one looks for.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Scalar(pub f64);

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() {
            to.serialize_f64(self.0)
        } else if self.0.is_nan() {
            to.serialize_str("NaN")
        } else {
            to.serialize_str(if self.0 > 0.0 { "inf" } else { "-inf" })
        }
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Scalar;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("a number, \"NaN\", \"inf\" or \"-inf\"")
            }
            fn visit_f64<E>(self, v: f64) -> Result<Scalar, E> {
                Ok(Scalar(v))
            }
            fn visit_u64<E>(self, v: u64) -> Result<Scalar, E> {
                Ok(Scalar(v as f64))
            }
            fn visit_i64<E>(self, v: i64) -> Result<Scalar, E> {
                Ok(Scalar(v as f64))
            }
            fn visit_str<E: serde::de::Error>(self, v: &str) -> Result<Scalar, E> {
                match v {
                    "NaN" => Ok(Scalar(f64::NAN)),
                    "inf" => Ok(Scalar(f64::INFINITY)),
                    "-inf" => Ok(Scalar(f64::NEG_INFINITY)),
                    _ => Err(E::custom(format!("'{v}' is not a number"))),
                }
            }
        }
        from.deserialize_any(Visitor)
    }
}

/// What one scalar did over the steps of one report, so that a spike between two reports is still in the log.
///
/// Written as `[x]` when there was one value, else `[min, mean, max]`, to four or five digits: the log of a week has to stay small.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    pub min: f64,
    pub mean: f64,
    pub max: f64,
}

impl Summary {
    /// Of the values of one or more steps. A NaN among them makes the mean NaN; min and max are those of the finite rest.
    /// All three are NaN when nothing is finite.
    pub fn of(values: &[f64]) -> Self {
        let finite = || values.iter().copied().filter(|v| v.is_finite());
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let min = finite().fold(f64::NAN, f64::min);
        let max = finite().fold(f64::NAN, f64::max);
        Self { min, mean, max }
    }

    pub fn one(value: f64) -> Self {
        Self { min: value, mean: value, max: value }
    }
}

/// To five significant digits.
fn short(x: f64) -> Scalar {
    if x == 0.0 || !x.is_finite() {
        return Scalar(x);
    }
    let digits = 4 - x.abs().log10().floor() as i32;
    if !(-300..=300).contains(&digits) {
        return Scalar(x);
    }
    // Dividing by an exact power of ten keeps the shortest decimal form short; multiplying by 0.00001 does not.
    let scale = 10f64.powi(digits.abs());
    Scalar(if digits >= 0 { (x * scale).round() / scale } else { (x / scale).round() * scale })
}

impl Serialize for Summary {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let same = |a: f64, b: f64| a == b || (a.is_nan() && b.is_nan());
        if same(self.min, self.mean) && same(self.mean, self.max) {
            [short(self.mean)].serialize(to)
        } else {
            [short(self.min), short(self.mean), short(self.max)].serialize(to)
        }
    }
}

impl<'de> Deserialize<'de> for Summary {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Summary;
            fn expecting(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.write_str("[value] or [min, mean, max]")
            }
            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut seq: A) -> Result<Summary, A::Error> {
                use serde::de::Error;
                let Scalar(first) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                let Some(Scalar(mean)) = seq.next_element()? else { return Ok(Summary::one(first)) };
                let Scalar(max) = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(2, &self))?;
                Ok(Summary { min: first, mean, max })
            }
        }
        from.deserialize_seq(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_finite_survives_json() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 0.1, -3.0, 1e-12] {
            let text = serde_json::to_string(&Scalar(value)).unwrap();
            let back: Scalar = serde_json::from_str(&text).unwrap();
            assert!(back.0 == value || (back.0.is_nan() && value.is_nan()), "{value} as {text}");
        }
        assert!(serde_json::from_str::<Scalar>("null").is_err());
    }

    #[test]
    fn summaries_are_short_and_keep_spikes() {
        let s = Summary::of(&[1.0, 2.0, 30.123_456_789]);
        assert_eq!(serde_json::to_string(&s).unwrap(), "[1.0,11.041,30.123]");
        assert_eq!(serde_json::to_string(&Summary::one(0.123_456_7)).unwrap(), "[0.12346]");
        let s = Summary::of(&[1.0, f64::NAN, 3.0]);
        let back: Summary = serde_json::from_str(&serde_json::to_string(&s).unwrap()).unwrap();
        assert!(back.mean.is_nan() && back.min == 1.0 && back.max == 3.0);
    }
}
