//! What the Gallery remembers between frames: the pictures of the newest exhibit, taken out of it once, and what is looked at.

use super::{Mood, Screen};
use crate::protocol::insight::{Exhibit, Group, MOST_FOOLED, Piece};
use crate::ui::graphics::Graphics;
use crate::ui::layout::View;
use crate::ui::raster::{Pictures, Raster};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Pieces beyond these are not shown: an exhibit holds no more unless its record is damaged.
const KEPT: usize = MOST_FOOLED as usize + 16;

#[derive(Clone, Debug)]
pub struct Gallery {
    pub group: Group,
    /// Place of the piece that is looked at among those of its group.
    places: BTreeMap<Group, usize>,
    /// What the small pictures show, and the one picture where there is room for one.
    pub look: Look,
    pub size: Size,
    /// By the pieces of the exhibit, in their order; or why there are none.
    pub pictures: Vec<Result<Pictures, String>>,
    /// How many exhibits came in: tells the pictures of one from those of the next.
    pub number: u32,
    pub graphics: Graphics,
}

/// Takes the pictures out of a new exhibit, and tells of it where it is not seen.
pub(super) fn saw(screen: &mut Screen, exhibit: &Exhibit) {
    screen.gallery.take_in(exhibit);
    if exhibit.by.is_some() && screen.view != View::Gallery {
        let (fooled, looked, step) = (exhibit.fooled, exhibit.looked, exhibit.step);
        screen.toast(Mood::Good, format!("{fooled} of {looked} images fooled @ step {step}: v shows some"));
    }
}

/// The picture before the attack, after it, and what the attack added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Look {
    Image,
    Attacked,
    Change,
}

/// How much of the view the chosen piece has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    Usual,
    Large,
}

impl Look {
    pub const ALL: [Self; 3] = [Self::Image, Self::Attacked, Self::Change];

    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "x",
            Self::Attacked => "x+δ",
            Self::Change => "10·δ",
        }
    }

    #[must_use]
    pub fn next(self) -> Self {
        match self {
            Self::Image => Self::Attacked,
            Self::Attacked => Self::Change,
            Self::Change => Self::Image,
        }
    }
}

impl Default for Gallery {
    fn default() -> Self {
        Self {
            group: Group::Fooled,
            places: BTreeMap::new(),
            look: Look::Image,
            size: Size::Usual,
            pictures: Vec::new(),
            number: 0,
            graphics: Graphics::Cells,
        }
    }
}

impl Gallery {
    /// The pictures of a new exhibit. The group stays unless there is nothing in it.
    pub fn take_in(&mut self, exhibit: &Exhibit) {
        self.pictures = exhibit.pieces.iter().take(KEPT).map(Pictures::of).collect();
        self.number = self.number.wrapping_add(1);
        self.places.clear();
        let filled = |group: &Group| !self.of(exhibit, *group).is_empty();
        if !filled(&self.group)
            && let Some(group) = Group::ALL.iter().copied().find(filled)
        {
            self.group = group;
        }
    }

    /// Without an exhibit there are no pictures.
    pub fn empty(&mut self) {
        self.pictures.clear();
        self.places.clear();
    }

    /// Indices of the pieces of a group.
    pub fn of(&self, exhibit: &Exhibit, group: Group) -> Vec<usize> {
        let kept = exhibit.pieces.iter().take(self.pictures.len()).enumerate();
        kept.filter(|(_, piece)| piece.group == group).map(|(index, _)| index).collect()
    }

    /// Place among the pieces of the group that is looked at.
    pub fn place(&self, of: usize) -> usize {
        self.places.get(&self.group).copied().unwrap_or(0).min(of.saturating_sub(1))
    }

    pub fn go_to(&mut self, place: usize) {
        self.places.insert(self.group, place);
    }

    /// The piece that is looked at, with its index.
    pub fn chosen<'a>(&self, exhibit: &'a Exhibit) -> Option<(usize, &'a Piece)> {
        let pieces = self.of(exhibit, self.group);
        let index = *pieces.get(self.place(pieces.len()))?;
        Some((index, exhibit.pieces.get(index)?))
    }

    /// Of the piece at an index, the picture that a look shows.
    pub fn picture(&self, index: usize, look: Look) -> Option<&Arc<Raster>> {
        let pictures = self.pictures.get(index)?.as_ref().ok()?;
        let [image, attacked, change] = &pictures.three;
        Some(match look {
            Look::Image => image,
            Look::Attacked => attacked,
            Look::Change => change,
        })
    }
}
