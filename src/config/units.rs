//! Quantities with their own way of being written: epsilon and the norm it is measured in.
//!
//! Nothing here knows of a file or of a run.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A radius in pixel space `[0, 1]`: the perturbation budget, or a step of an attack.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Eps(pub f64);

impl fmt::Display for Eps {
    /// `8/255` where it is a whole number of 8-bit levels and not as short as `0.2`, else the plain number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (levels, thousandths) = (self.0 * 255.0, self.0 * 1e3);
        let short = (thousandths - thousandths.round()).abs() < 1e-9;
        if self.0 > 0.0 && !short && (levels - levels.round()).abs() < 1e-6 && levels < 254.5 {
            write!(f, "{}/255", levels.round())
        } else {
            write!(f, "{}", (self.0 * 1e6).round() / 1e6)
        }
    }
}

impl FromStr for Eps {
    type Err = String;
    /// Takes `0.1`, `8/255` and `3%`.
    fn from_str(text: &str) -> Result<Self, String> {
        number(text).map(Self)
    }
}

/// A number as people of this field write it: `0.1`, `1e-3`, `8/255`, `35%`.
///
/// # Errors
/// What was written and the forms that are understood.
pub fn number(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let plain = |part: &str| part.trim().parse::<f64>().ok();
    let value = if let Some((top, bottom)) = text.split_once('/') {
        plain(top).zip(plain(bottom)).map(|(a, b)| a / b)
    } else if let Some(percent) = text.strip_suffix('%') {
        plain(percent).map(|p| p / 100.0)
    } else {
        plain(text)
    };
    value.filter(|v| v.is_finite()).ok_or_else(|| format!("'{text}' is not a number; write it like 0.1, 1e-3, 8/255 or 35%"))
}

/// The norm that epsilon is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Norm {
    #[serde(rename = "linf")]
    Linf,
    #[serde(rename = "l2")]
    L2,
}

impl Norm {
    pub const ALL: &[Self] = &[Self::Linf, Self::L2];

    pub fn name(self) -> &'static str {
        match self {
            Self::Linf => "linf",
            Self::L2 => "l2",
        }
    }

    /// Largest epsilon that means anything: a whole pixel range in L-inf; in L2 more than any image here is across.
    pub fn largest_eps(self) -> f64 {
        match self {
            Self::Linf => 1.0,
            Self::L2 => 1000.0,
        }
    }
}

impl fmt::Display for Norm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Linf => "L-inf",
            Self::L2 => "L2",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eps_is_read_and_shown_as_people_write_it() {
        for (text, value, shown) in [
            ("8/255", 8.0 / 255.0, "8/255"),
            ("0.1", 0.1, "0.1"),
            ("10%", 0.1, "0.1"),
            ("51/255", 0.2, "0.2"),
            ("1e-3", 1e-3, "0.001"),
            ("1", 1.0, "1"),
        ] {
            let eps: Eps = text.parse().unwrap();
            assert!((eps.0 - value).abs() < 1e-12, "{text}");
            assert_eq!(eps.to_string(), shown);
        }
        for bad in ["", "x", "1/0", "8/", "nan", "inf"] {
            assert!(bad.parse::<Eps>().is_err(), "{bad}");
        }
    }
}
