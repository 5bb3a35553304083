//! Sets of images of a table's numbers. Numbers of different sets never share a row or a picture: of 200 images others come out than of
//! 2,000, for natural accuracy as for adversarial.

use crate::run::comparison::Group;

/// The columns of accuracies that were counted on one set of images.
#[derive(Clone, Debug, PartialEq)]
pub struct OneSet {
    /// Place in the group's `images`: of the natural accuracy that belongs to these columns.
    pub natural: usize,
    /// Places in the group's `columns`, with headings that differ within this set.
    pub attacks: Vec<(usize, String)>,
    /// `200 test images`; where another set has as many of the same split, with what tells them apart.
    pub images: String,
    pub count: u64,
}

impl OneSet {
    /// `pgd-20 (200 test images)`.
    pub fn heading(&self, name: &str) -> String {
        format!("{name} ({})", self.images)
    }
}

/// Every set of a group, in the order of its `images`.
pub fn of(group: &Group) -> Vec<OneSet> {
    let short = |place: usize| format!("{} {} images", group.images[place].images, group.images[place].split.name());
    (0..group.images.len())
        .map(|natural| {
            let on = &group.images[natural];
            let places: Vec<usize> = (0..group.columns.len()).filter(|&place| group.columns[place].on == *on).collect();
            let alike = (0..group.images.len()).any(|other| other != natural && short(other) == short(natural));
            let images = if alike { on.describe(&group.data.name) } else { short(natural) };
            OneSet { natural, attacks: group.headings_of(&places), images, count: on.images }
        })
        .collect()
}

/// The set that `having` counts the most numbers of, the first of several; first in the list, the others behind it.
pub fn ordered(mut sets: Vec<OneSet>, having: impl Fn(&OneSet) -> usize) -> Vec<OneSet> {
    sets.sort_by_key(|set| std::cmp::Reverse(having(set)));
    sets
}

/// What each column of a set was measured with and on.
pub fn legend(group: &Group, set: &OneSet) -> Vec<(String, String)> {
    let own = group.data.name.as_str();
    let attacks = set.attacks.iter().map(|(place, name)| (set.heading(name), group.columns[*place].describe(own)));
    std::iter::once((set.heading("natural"), group.images[set.natural].describe(own))).chain(attacks).collect()
}
