//! GPUs through NVML, the driver's own library, loaded when the program runs.
//!
//! No driver, no device, a query that one model does not answer: each is an empty list or a `None`. Indices are NVML's, which
//! are those of `nvidia-smi`. Nothing here sets anything on a device.

use crate::protocol::event::Gpu;
use nvml_wrapper::Nvml;
use nvml_wrapper::bitmasks::device::ThrottleReasons;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::error::NvmlError;

/// The devices this process may use.
pub struct Gpus {
    nvml: Result<Nvml, String>,
    indices: Vec<u32>,
}

impl Gpus {
    /// `visible` is the value of `CUDA_VISIBLE_DEVICES`, if it is set.
    pub fn new(visible: Option<&str>) -> Self {
        let nvml = Nvml::init().map_err(|error| without(&error));
        let uuids: Vec<String> = nvml.as_ref().map_or_else(
            |_| Vec::new(),
            |nvml| {
                let uuid = |index| nvml.device_by_index(index).and_then(|device| device.uuid()).unwrap_or_default();
                (0..nvml.device_count().unwrap_or(0)).map(uuid).collect()
            },
        );
        Self { nvml, indices: chosen(visible, &uuids) }
    }

    pub fn read(&self) -> Vec<Gpu> {
        let Ok(nvml) = &self.nvml else { return Vec::new() };
        self.indices.iter().filter_map(|&index| read(nvml, index)).collect()
    }

    /// Why there is nothing to read.
    pub fn missing(&self) -> Option<String> {
        match &self.nvml {
            Err(why) => Some(format!("no NVML: {why}")),
            Ok(_) if self.indices.is_empty() => Some("no GPU is shown to this program".into()),
            Ok(_) => None,
        }
    }
}

/// Why the driver's library does not answer, without the name of the crate that found out.
pub fn without(error: &NvmlError) -> String {
    let text = error.to_string();
    text.strip_prefix("a libloading error occurred: ").unwrap_or(&text).to_string()
}

fn read(nvml: &Nvml, index: u32) -> Option<Gpu> {
    let device = nvml.device_by_index(index).ok()?;
    let memory = device.memory_info().ok();
    let watts = |milliwatts: u32| (f64::from(milliwatts) / 100.0).round() / 10.0;
    Some(Gpu {
        index: u64::from(index),
        name: device.name().unwrap_or_default(),
        utilisation_percent: device.utilization_rates().ok().map(|rates| f64::from(rates.gpu)),
        memory_used: memory.as_ref().map(|memory| memory.used),
        memory_total: memory.as_ref().map(|memory| memory.total),
        temperature_c: device.temperature(TemperatureSensor::Gpu).ok().map(f64::from),
        power_w: device.power_usage().ok().map(watts),
        power_limit_w: device.enforced_power_limit().ok().map(watts),
        sm_clock_mhz: device.clock_info(Clock::SM).ok().map(u64::from),
        sm_clock_max_mhz: device.max_clock_info(Clock::SM).ok().map(u64::from),
        throttled: device.current_throttle_reasons().ok().and_then(held_down),
    })
}

/// What holds the clock down, as words. That a device is idle, or runs at the clock it was set to, is no fault.
fn held_down(reasons: ThrottleReasons) -> Option<String> {
    let words = [
        (ThrottleReasons::SW_POWER_CAP, "power cap"),
        (ThrottleReasons::SW_THERMAL_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN, "heat"),
        (ThrottleReasons::HW_POWER_BRAKE_SLOWDOWN, "power brake"),
        (ThrottleReasons::SYNC_BOOST, "sync boost"),
    ];
    let mut held: Vec<&str> = words.iter().filter(|(which, _)| reasons.intersects(*which)).map(|(_, word)| *word).collect();
    // The hardware's own slowdown is also said beside its reason: alone it is news.
    if held.is_empty() && reasons.contains(ThrottleReasons::HW_SLOWDOWN) {
        held.push("hardware slowdown");
    }
    (!held.is_empty()).then(|| held.join(", "))
}

/// Which of the devices, given by their UUIDs, CUDA shows to this process, in its order.
///
/// As CUDA reads the variable: indices or beginnings of UUIDs, and the first that names no device ends the list (so `-1` and an
/// empty value hide all). CUDA numbers devices as the bus does only under `CUDA_DEVICE_ORDER=PCI_BUS_ID`; on machines with
/// unlike GPUs its numbers may differ from NVML's otherwise. Parts of a device (`MIG-...`) have no readings here.
fn chosen(visible: Option<&str>, uuids: &[String]) -> Vec<u32> {
    let all = 0..uuids.len() as u32;
    let Some(visible) = visible else { return all.collect() };
    let mut indices: Vec<u32> = Vec::new();
    for name in visible.split(',').map(str::trim) {
        let index = if name.starts_with("GPU-") {
            let mut fitting = all.clone().filter(|&index| uuids[index as usize].starts_with(name));
            // A beginning that two devices share names none.
            fitting.next().filter(|_| fitting.next().is_none())
        } else {
            name.parse().ok().filter(|index| all.contains(index))
        };
        match index {
            // CUDA refuses a list that names a device twice.
            Some(index) if !indices.contains(&index) => indices.push(index),
            Some(_) => return Vec::new(),
            None => break,
        }
    }
    indices
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_devices_that_cuda_shows_are_the_ones_read() {
        let uuids = ["GPU-aa11", "GPU-aa22", "GPU-bb33"].map(String::from);
        for (visible, indices) in [
            (None, vec![0, 1, 2]),
            (Some("2,0"), vec![2, 0]),
            (Some(" 1 , 2 "), vec![1, 2]),
            (Some("GPU-bb,0"), vec![2, 0]),
            (Some("GPU-aa"), vec![]),
            (Some("1,7,0"), vec![1]),
            (Some("-1"), vec![]),
            (Some(""), vec![]),
            (Some("0,0"), vec![]),
            (Some("MIG-GPU-aa11/1/0"), vec![]),
        ] {
            assert_eq!(chosen(visible, &uuids), indices, "{visible:?}");
        }
        assert!(chosen(None, &[]).is_empty());
    }

    #[test]
    fn a_machine_without_a_driver_has_no_devices_and_no_error() {
        let gpus = Gpus::new(None);
        let seen = gpus.read();
        if gpus.nvml.is_err() {
            assert!(seen.is_empty());
            assert!(gpus.missing().is_some_and(|why| why.starts_with("no NVML: ") && why.len() > 12), "{:?}", gpus.missing());
        } else {
            assert!(seen.iter().all(|gpu| gpu.memory_used <= gpu.memory_total), "{seen:?}");
        }
        assert!(Gpus::new(Some("")).read().is_empty(), "all devices are hidden");
        assert!(Gpus::new(Some("")).missing().is_some());
    }

    #[test]
    fn only_what_holds_the_clock_down_is_told() {
        let of = |reasons| held_down(reasons).unwrap_or_default();
        assert_eq!(of(ThrottleReasons::NONE | ThrottleReasons::GPU_IDLE | ThrottleReasons::APPLICATIONS_CLOCKS_SETTING), "");
        assert_eq!(of(ThrottleReasons::SW_POWER_CAP | ThrottleReasons::SW_THERMAL_SLOWDOWN), "power cap, heat");
        assert_eq!(of(ThrottleReasons::HW_SLOWDOWN | ThrottleReasons::HW_THERMAL_SLOWDOWN), "heat");
        assert_eq!(of(ThrottleReasons::HW_SLOWDOWN), "hardware slowdown");
    }
}
