//! From values to places on an axis, and the places worth a number.
//!
//! A logarithmic axis has a place for 0 on its left, set apart by a gap, where there is one among the values.

/// How values are spread over an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    Linear,
    Log,
}

/// How the numbers along an axis are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    Number,
    /// Of a fraction, in percent without the sign.
    Percent,
}

/// What an axis is asked to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    pub label: String,
    pub scale: Scale,
    pub show: Show,
    /// Kept within the range, whatever the values are.
    pub holds: Option<f64>,
    pub fit: Fit,
}

/// Where a linear axis ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// At round numbers around the values.
    Round,
    /// At the values.
    Tight,
    /// As `Round`, with some room around the values, for marks with names.
    Roomy,
}

/// An axis laid over values.
#[derive(Clone, Debug, PartialEq)]
pub struct Laid {
    low: f64,
    high: f64,
    scale: Scale,
    /// Where 0 has its place on a logarithmic axis.
    zero: bool,
    pub ticks: Vec<Tick>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// 0 to 1 along the axis.
    pub at: f64,
    pub text: String,
}

/// Share of a logarithmic axis that 0 has to itself, and where in it.
const ROOM_OF_ZERO: f64 = 0.14;
const PLACE_OF_ZERO: f64 = 0.04;
/// Share of the range that is left free at either end of a roomy axis.
const ROOM: f64 = 0.08;
/// Numbers along an axis, about.
const TICKS: f64 = 6.0;

impl Axis {
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), scale: Scale::Linear, show: Show::Number, holds: None, fit: Fit::Round }
    }

    pub fn log(label: impl Into<String>) -> Self {
        Self { scale: Scale::Log, ..Self::linear(label) }
    }

    /// Of fractions, in percent.
    pub fn percent(label: impl Into<String>) -> Self {
        Self { show: Show::Percent, ..Self::linear(label) }
    }

    /// With this value within its range.
    #[must_use]
    pub fn holding(self, value: f64) -> Self {
        Self { holds: Some(value), ..self }
    }

    /// From the lowest value to the highest and no further, as for time that has passed.
    #[must_use]
    pub fn tight(self) -> Self {
        Self { fit: Fit::Tight, ..self }
    }

    #[must_use]
    pub fn roomy(self) -> Self {
        Self { fit: Fit::Roomy, ..self }
    }

    /// Lays the axis over values; those that are not finite, and below 0 on a logarithmic one, have no place.
    pub fn over(&self, values: impl Iterator<Item = f64>) -> Laid {
        let mut values: Vec<f64> = values.chain(self.holds).filter(|value| value.is_finite()).collect();
        match self.scale {
            Scale::Linear => {
                let (low, high) = ends(&values).unwrap_or((0.0, 1.0));
                let factor = match self.show {
                    Show::Number => 1.0,
                    Show::Percent => 100.0,
                };
                let around = match self.fit {
                    Fit::Roomy => ROOM * (high - low),
                    Fit::Round | Fit::Tight => 0.0,
                };
                let (first, last, step) = nice((low - around) * factor, (high + around) * factor);
                let (low, high) = match self.fit {
                    Fit::Tight if high > low => (low * factor, high * factor),
                    Fit::Round | Fit::Tight | Fit::Roomy => (first, last),
                };
                let count = ((last - first) / step).round() as i64;
                let ticks = (0..=count)
                    .map(|i| first + step * i as f64)
                    .filter(|value| (low - 1e-9 * step..=high + 1e-9 * step).contains(value))
                    .map(|value| Tick { at: (value - low) / (high - low), text: written(value, step) })
                    .collect();
                Laid { low: low / factor, high: high / factor, scale: Scale::Linear, zero: false, ticks }
            }
            Scale::Log => {
                let zero = values.contains(&0.0);
                values.retain(|value| *value > 0.0);
                let (low, high) = ends(&values).unwrap_or((0.1, 10.0));
                // A little room at both ends; one value alone gets a decade.
                let room = ((high / low).log10() * 0.05).max(if high > low { 0.0 } else { 0.5 });
                let (low, high) = (low.log10() - room, high.log10() + room);
                let mut laid = Laid { low, high, scale: Scale::Log, zero, ticks: Vec::new() };
                laid.ticks =
                    decades(low, high).into_iter().map(|value| Tick { at: laid.at(value), text: plain(value) }).collect();
                if zero {
                    laid.ticks.insert(0, Tick { at: PLACE_OF_ZERO, text: "0".into() });
                }
                laid
            }
        }
    }
}

impl Laid {
    /// Along the axis, 0 to 1 for what lies on it; not finite for what has no place.
    pub fn at(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log if value == 0.0 && self.zero => PLACE_OF_ZERO,
            Scale::Log => {
                let share = (value.log10() - self.low) / (self.high - self.low);
                if self.zero { ROOM_OF_ZERO + (1.0 - ROOM_OF_ZERO) * share } else { share }
            }
        }
    }

    /// Where the axis is broken between 0 and the rest.
    pub fn gap(&self) -> Option<f64> {
        self.zero.then_some(f64::midpoint(PLACE_OF_ZERO, ROOM_OF_ZERO))
    }
}

fn ends(values: &[f64]) -> Option<(f64, f64)> {
    Some((values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?))
}

/// The range a little wider, from one round number to another, and the step between round numbers in it.
fn nice(low: f64, high: f64) -> (f64, f64, f64) {
    let (low, high) = if high > low {
        (low, high)
    } else {
        let around = if low == 0.0 { 1.0 } else { low.abs() * 0.1 };
        (low - around, low + around)
    };
    let raw = (high - low) / TICKS;
    let power = 10f64.powf(raw.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].iter().map(|factor| factor * power).find(|step| *step >= raw * 0.999).unwrap_or(raw);
    // What lies on a round number up to rounding is on it.
    let (first, last) = ((low / step + 1e-9).floor(), (high / step - 1e-9).ceil());
    (first * step, last * step, step)
}

fn written(value: f64, step: f64) -> String {
    // 2.5 needs a digit more than its power of ten says.
    let digits = (0..9).find(|digits| {
        let shifted = step * 10f64.powi(*digits);
        (shifted - shifted.round()).abs() < 1e-6 * shifted
    });
    let text = format!("{:.*}", digits.unwrap_or(9) as usize, value);
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        text.replace('-', "")
    } else {
        text.replace('-', "−")
    }
}

/// Powers of ten, and 2 and 5 times them where there are few.
fn decades(low: f64, high: f64) -> Vec<f64> {
    let span = high - low;
    let factors: &[f64] = match span {
        s if s < 1.2 => &[1.0, 2.0, 3.0, 5.0],
        s if s < 2.5 => &[1.0, 2.0, 5.0],
        _ => &[1.0],
    };
    let (first, last) = (low.floor() as i32, high.ceil() as i32);
    let every = (f64::from(last - first) / 8.0).ceil().max(1.0) as usize;
    (first..=last)
        .step_by(every)
        .flat_map(|power| factors.iter().map(move |factor| factor * 10f64.powi(power)))
        .filter(|value| (low - 1e-9..=high + 1e-9).contains(&value.log10()))
        .collect()
}

/// `0.005`, `5e-5`, `20`, `1e6`.
pub fn plain(value: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    let power = value.abs().log10().floor() as i32;
    if (-3..6).contains(&power) {
        let text = format!("{:.*}", (3 - power).max(0) as usize, value);
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
    } else {
        let front = format!("{:.3}", value / 10f64.powi(power));
        format!("{}e{power}", front.trim_end_matches('0').trim_end_matches('.'))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(axis: &Axis, values: &[f64]) -> Vec<String> {
        axis.over(values.iter().copied()).ticks.into_iter().map(|tick| tick.text).collect()
    }

    #[test]
    fn ticks_are_round_and_cover_the_values() {
        assert_eq!(texts(&Axis::linear("x"), &[0.0, 852.0]), ["0", "200", "400", "600", "800", "1000"]);
        assert_eq!(texts(&Axis::linear("x"), &[-0.97, -0.2]), ["−1.0", "−0.8", "−0.6", "−0.4", "−0.2"]);
        assert_eq!(texts(&Axis::percent("x"), &[0.31, 0.78]), ["30", "40", "50", "60", "70", "80"]);
        assert_eq!(texts(&Axis::percent("x"), &[0.01, 0.149]), ["0.0", "2.5", "5.0", "7.5", "10.0", "12.5", "15.0"]);
        assert_eq!(texts(&Axis::percent("x"), &[0.0, 0.12]), ["0", "2", "4", "6", "8", "10", "12"]);
    }

    #[test]
    fn a_tight_axis_ends_with_its_values() {
        let axis = Axis::linear("step").tight();
        assert_eq!(texts(&axis, &[0.0, 852.0]), ["0", "200", "400", "600", "800"]);
        let laid = axis.over([3.0, 852.0].into_iter());
        assert_eq!((laid.at(3.0), laid.at(852.0)), (0.0, 1.0));
    }

    #[test]
    fn one_value_and_none_have_an_axis_too() {
        for values in [&[0.0][..], &[5.0], &[-3.0], &[], &[f64::NAN, f64::INFINITY]] {
            for axis in [Axis::linear("x"), Axis::linear("x").tight(), Axis::log("x"), Axis::percent("x").holding(0.0)] {
                let laid = axis.over(values.iter().copied());
                assert!(!laid.ticks.is_empty() && laid.ticks.iter().all(|tick| tick.at.is_finite()), "{values:?} {laid:?}");
            }
        }
    }

    #[test]
    fn values_lie_within_and_in_order() {
        let laid = Axis::linear("x").over([3.0, 17.0].into_iter());
        assert!(laid.at(3.0) >= 0.0 && laid.at(17.0) <= 1.0 && laid.at(3.0) < laid.at(17.0));
    }

    #[test]
    fn nothing_has_its_place_on_a_logarithmic_axis() {
        let lambdas = [0.0, 5e-5, 5e-4, 1e-3, 5e-3, 0.5, 1.0];
        let laid = Axis::log("λ").over(lambdas.into_iter());
        let places: Vec<f64> = lambdas.iter().map(|value| laid.at(*value)).collect();
        assert!(places.is_sorted() && places[0] == PLACE_OF_ZERO && places[1] > ROOM_OF_ZERO && places[6] <= 1.0, "{places:?}");
        assert!(places[0] < laid.gap().unwrap() && laid.gap().unwrap() < places[1]);
        assert_eq!(texts(&Axis::log("λ"), &lambdas), ["0", "1e-4", "0.001", "0.01", "0.1", "1"]);
        let without = Axis::log("λ").over(lambdas[1..].iter().copied());
        assert!(without.gap().is_none() && !without.at(0.0).is_finite());
    }

    #[test]
    fn few_decades_have_more_numbers() {
        assert_eq!(texts(&Axis::log("s"), &[1.2, 8.0]), ["2", "3", "5"]);
        assert_eq!(texts(&Axis::log("s"), &[0.01, 0.9]), ["0.01", "0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        let shown = [0.005, 5e-5, 1.0, 12345.0, 2e7, -0.25, 0.0].map(plain);
        assert_eq!(shown, ["0.005", "5e-5", "1", "12345", "2e7", "-0.25", "0"]);
    }
}
