//! Pictures of numbers as SVG: written by hand, so that they need nothing and look the same everywhere.
//!
//! A [`Drawing`] is shapes with classes and no colours: a page gives the classes their colours, light or dark, and a file of its own
//! brings the light ones along. Nothing here knows of runs.

pub mod bars;
pub mod grid;
pub mod scale;
pub mod svg;
pub mod xy;

use std::fmt::Write;
use svg::escaped;

/// Series that have a colour of their own; the next one begins anew.
pub const COLOURS: usize = 8;

/// Of series, ink, dimmed ink, lines of the grid, ground. The series keep apart for eyes that do not tell red from green: they differ in
/// lightness too, and [`xy`] gives each a shape of its own.
pub const LIGHT: Palette = Palette {
    series: ["#0b62a8", "#b84a00", "#00785a", "#8f3f8c", "#8a6a00", "#2f8fc4", "#c03050", "#555f6b"],
    ink: "#1d232a",
    dim: "#5c6670",
    grid: "#e3e6ea",
    ground: "#ffffff",
};

pub const DARK: Palette = Palette {
    series: ["#62b0f0", "#ff9a55", "#3fcf9f", "#d990d6", "#e3bf3c", "#9ad4f5", "#ff8299", "#aeb8c2"],
    ink: "#e4e8ec",
    dim: "#9aa5b0",
    grid: "#2c343c",
    ground: "#14181c",
};

#[derive(Clone, Copy, Debug)]
pub struct Palette {
    pub series: [&'static str; COLOURS],
    pub ink: &'static str,
    pub dim: &'static str,
    pub grid: &'static str,
    pub ground: &'static str,
}

/// A picture without colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Drawing {
    pub width: f64,
    pub height: f64,
    /// Elements of SVG.
    pub body: String,
    /// What it shows, in one sentence, for those who do not see it.
    pub says: String,
}

/// Fonts of pages, and for [`super::png`] the one that the program brings along.
const FONTS: &str = "system-ui, 'Segoe UI', 'Helvetica Neue', Arial, 'DejaVu Sans', sans-serif";

impl Drawing {
    /// For a page that says what the classes look like.
    pub fn inline(&self) -> String {
        self.with("", "")
    }

    /// A file that stands alone, light.
    pub fn standalone(&self) -> String {
        let style = format!("<style>{}</style>", rules("", &LIGHT, "sans-serif"));
        self.with(&style, r#"<rect class="ground" width="100%" height="100%"/>"#)
    }

    fn with(&self, style: &str, ground: &str) -> String {
        let Self { width, height, body, says } = self;
        let says = escaped(says);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"plot\" role=\"img\" aria-label=\"{says}\" \
             width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n{style}{ground}\n{body}</svg>\n"
        )
    }
}

/// What the classes look like, each selector behind `under`.
fn rules(under: &str, palette: &Palette, fonts: &str) -> String {
    let Palette { series, ink, dim, grid, ground } = palette;
    let mut css = format!(
        "{under} text{{font-family:{fonts};font-size:12px;fill:{ink}}}{under} .title{{font-size:14px;font-weight:600}}\
         {under} .dim{{fill:{dim}}}{under} .small{{font-size:10.5px}}{under} .big{{font-size:15px}}\
         {under} .grid{{stroke:{grid};stroke-width:1;fill:none}}{under} .axis{{stroke:{dim};stroke-width:1;fill:none}}\
         {under} .rule{{stroke:{dim};stroke-width:1;stroke-dasharray:3 3;fill:none}}{under} .ground{{fill:{ground}}}\
         {under} .lift{{paint-order:stroke;stroke:{ground};stroke-width:3;stroke-linejoin:round}}\
         {under} .line{{fill:none;stroke-width:2;stroke-linejoin:round}}{under} .thin{{fill:none;stroke-width:1.3}}\
         {under} .dashed{{stroke-dasharray:6 4}}{under} .band{{opacity:.16}}{under} .share{{opacity:.45}}"
    );
    for (i, colour) in series.iter().enumerate() {
        let _ = write!(css, "{under} .s{i}{{stroke:{colour}}}{under} .f{i}{{fill:{colour}}}");
    }
    css
}

/// Rules for a page: colours are variables, and the variables are light or dark as the reader's system is.
pub fn page_rules() -> String {
    const NAMES: [&str; COLOURS] =
        ["var(--s0)", "var(--s1)", "var(--s2)", "var(--s3)", "var(--s4)", "var(--s5)", "var(--s6)", "var(--s7)"];
    let by_name = Palette { series: NAMES, ink: "var(--ink)", dim: "var(--dim)", grid: "var(--grid)", ground: "var(--ground)" };
    format!(
        ":root{{{}}}\n@media (prefers-color-scheme:dark){{:root{{{}}}}}\n@media print{{:root{{{}}}}}\n{}\n",
        variables(&LIGHT),
        variables(&DARK),
        variables(&LIGHT),
        rules(".plot", &by_name, FONTS)
    )
}

fn variables(palette: &Palette) -> String {
    let Palette { series, ink, dim, grid, ground } = palette;
    let mut css = format!("--ink:{ink};--dim:{dim};--grid:{grid};--ground:{ground};");
    for (i, colour) in series.iter().enumerate() {
        let _ = write!(css, "--s{i}:{colour};");
    }
    css
}

#[cfg(test)]
mod tests {
    use super::*;

    /// WCAG 2: relative luminance of `#rrggbb`.
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let share = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if share <= 0.04045 { share / 12.92 } else { ((share + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    #[test]
    fn words_can_be_read_on_their_ground() {
        for palette in [LIGHT, DARK] {
            let ground = luminance(palette.ground);
            let lines = palette.series.iter().map(|colour| (*colour, 3.0));
            for (colour, least) in lines.chain([(palette.ink, 7.0), (palette.dim, 4.5)]) {
                let (a, b) = (luminance(colour), ground);
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= least, "{colour} on {}: {contrast:.2}", palette.ground);
            }
        }
    }

    #[test]
    fn a_file_of_its_own_has_colours_and_a_page_gives_them() {
        let drawing = Drawing { width: 10.0, height: 5.0, body: String::new(), says: "a <b> & \"c\"".into() };
        assert!(drawing.standalone().contains(LIGHT.series[0]) && !drawing.inline().contains('#'));
        assert!(drawing.inline().contains("aria-label=\"a &lt;b&gt; &amp; &quot;c&quot;\""));
        roxmltree::Document::parse(&drawing.standalone()).unwrap();
    }
}
