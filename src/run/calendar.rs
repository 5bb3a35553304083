//! Dates and times of day, in UTC, of milliseconds since the Unix epoch.

/// `YYYYMMDD-HHMMSS` in UTC.
pub(super) fn stamp(at_ms: u64) -> String {
    let (date, time) = calendar(at_ms);
    format!("{:04}{:02}{:02}-{:02}{:02}{:02}", date[0], date[1], date[2], time[0], time[1], time[2])
}

/// Year, month, day and hour, minute, second of a time, in UTC.
///
/// Days to dates by Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", `civil_from_days`: years are counted from
/// March, so that the leap day is the last of its year.
pub fn calendar(at_ms: u64) -> ([u64; 3], [u64; 3]) {
    let seconds = at_ms / 1000;
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    ([year, month, day], [seconds / 3600 % 24, seconds / 60 % 60, seconds % 60])
}
