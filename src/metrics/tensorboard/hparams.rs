//! What TensorBoard's hparams view is told: which settings and results there are, this run's settings, and how it ended.
//!
//! Settings are the keys of the config, by the names that `-s` takes. The list of them is that of all configs, whatever this run's
//! method: TensorBoard reads the list of one run and shows the table of all by it.

use super::wire::{
    BOOL, Dim, Experiment, FAILURE, FLOAT, Held, HparamInfo, Hparams, HparamsData, Metadata, MetricInfo, MetricName, NUMBER,
    ON_TRAINING, ON_VALIDATION, PluginData, SUCCESS, SessionEnd, SessionStart, Set, Setting, Shape, TEXT, Tensor, Value,
};
use crate::config::Config;
use crate::config::Eps;
use crate::config::check::keys::Kind;
use crate::config::check::{KEYS, Key, to_toml};
use crate::protocol::Outcome;
use prost::Message as _;
use std::collections::BTreeMap;

/// Scalars that the table of runs shows, by their tags, with the data they are of.
const RESULTS: &[(&str, i32)] = &[
    ("final/natural_accuracy", 0),
    ("final/adversarial_accuracy", 0),
    ("probe/natural_accuracy", ON_VALIDATION),
    ("probe/adversarial_accuracy", ON_VALIDATION),
    ("train/total", ON_TRAINING),
    ("run/train_seconds", 0),
];

/// Settings that most often differ between runs: TensorBoard shows these at first and the others when asked.
const OFTEN: &[&str] = &["method.name", "method.lambda", "student.network", "threat.eps", "train.epochs", "train.lr", "seed"];

/// Which settings and results there are, and this run's settings.
pub(super) fn begun(config: &Config, at: f64) -> [Value; 2] {
    let hparams = KEYS.iter().map(|key| HparamInfo {
        name: key.path.into(),
        description: key.meaning.into(),
        kind: match key.kind {
            Kind::Whole { .. } | Kind::Real { .. } | Kind::Radius => NUMBER,
            Kind::Switch => BOOL,
            Kind::Name(_) | Kind::Path | Kind::Paths | Kind::Epochs | Kind::Changes => TEXT,
        },
        differs: OFTEN.contains(&key.path),
    });
    let metrics = RESULTS.iter().map(|&(tag, data_set)| MetricInfo {
        name: Some(MetricName { tag: tag.into() }),
        display_name: tag.into(),
        data_set,
    });
    let experiment = Experiment {
        description: "Settings and results of runs of Rematch".into(),
        time_created: at,
        hparams: hparams.collect(),
        metrics: metrics.collect(),
        name: "rematch".into(),
    };
    let start = SessionStart { hparams: settings(config), start_time: at };
    [value("_hparams_/experiment", Hparams::Experiment(experiment)), value("_hparams_/session_start_info", Hparams::Start(start))]
}

/// How it ended. Nothing of a run that was stopped: it may go on, and TensorBoard believes the first end it is told.
pub(super) fn ended(outcome: &Outcome, at: f64) -> Option<Value> {
    let status = match outcome {
        Outcome::Completed => SUCCESS,
        Outcome::Failed { .. } => FAILURE,
        Outcome::Stopped => return None,
    };
    Some(value("_hparams_/session_end_info", Hparams::End(SessionEnd { status, end_time: at })))
}

/// The plugin reads what stands in the metadata of a tag; the value itself is an empty tensor.
fn value(tag: &str, what: Hparams) -> Value {
    let content = HparamsData { what: Some(what) }.encode_to_vec();
    Value {
        tag: tag.into(),
        metadata: Some(Metadata {
            plugin_data: Some(PluginData { plugin_name: "hparams".into(), content }),
            description: String::new(),
        }),
        held: Some(Held::Tensor(Tensor { dtype: FLOAT, shape: Some(Shape { dim: vec![Dim { size: 0 }] }), strings: Vec::new() })),
    }
}

/// Every key that means something under this config, as `train.schedule.peak`.
fn settings(config: &Config) -> BTreeMap<String, Setting> {
    let mut settings = BTreeMap::new();
    // Our own text: what could not be read back would be a fault of ours, and no reason to end a run.
    if let Ok(table) = to_toml(config).parse::<toml::Table>() {
        flatten("", &table, &mut settings);
    }
    settings
}

fn flatten(around: &str, table: &toml::Table, into: &mut BTreeMap<String, Setting>) {
    for (key, value) in table {
        let path = if around.is_empty() { key.clone() } else { format!("{around}.{key}") };
        let set = match value {
            toml::Value::Table(inner) => {
                flatten(&path, inner, into);
                continue;
            }
            toml::Value::Integer(number) => Set::Number(*number as f64),
            toml::Value::Float(number) => Set::Number(*number),
            toml::Value::Boolean(switch) => Set::Bool(*switch),
            // `"8/255"` is a number.
            toml::Value::String(text) => match Key::find(&path).map(|key| key.kind).zip(text.parse::<Eps>().ok()) {
                Some((Kind::Radius, eps)) => Set::Number(eps.0),
                Some(_) | None => Set::Text(text.clone()),
            },
            toml::Value::Array(_) | toml::Value::Datetime(_) => Set::Text(value.to_string()),
        };
        into.insert(path, Setting { set: Some(set) });
    }
}
