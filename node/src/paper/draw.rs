//! From sheets to the bytes of a PDF.

use std::collections::BTreeMap;

use krilla::{
    Document,
    color::luma,
    geom::{Path, PathBuilder, Point, Rect},
    metadata::{Metadata, TextDirection},
    page::PageSettings,
    paint::{Fill, Stroke},
    surface::Surface,
    text::{Font, GlyphId, KrillaGlyph, Tag},
};
use parley::Run;
use tutti_core::referral::copy::{Direction, Page};

use super::{
    PaperError,
    lines::{Cell, MARGIN, PADDING, SHEET, Set},
    sheets::Sheet,
};

/// A face of a font: its data, its place in them, and whether it is set to another weight.
type Face = (u64, u32, Vec<(u32, u32)>);

pub(super) fn draw(page: &Page, sheets: Vec<Sheet>) -> Result<Vec<u8>, PaperError> {
    let mut document = Document::new();
    document.set_metadata(
        Metadata::new()
            .title(page.title.clone())
            .language(page.language.code().into())
            .text_direction(match page.direction() {
                Direction::LeftToRight => TextDirection::LeftToRight,
                Direction::RightToLeft => TextDirection::RightToLeft,
            }),
    );
    let mut faces = BTreeMap::new();
    for sheet in sheets {
        let settings = PageSettings::from_wh(SHEET.0, SHEET.1)
            .ok_or_else(|| PaperError::Writing("no such size of a sheet".into()))?;
        let mut paper = document.start_page_with(settings);
        let mut surface = paper.surface();
        rules(&mut surface, &sheet);
        for placed in &sheet {
            for cell in &placed.row.cells {
                text(&mut surface, &mut faces, cell, placed.top)?;
            }
        }
        surface.finish();
        paper.finish();
    }
    document.finish().map_err(|error| PaperError::Writing(format!("{error:?}")))
}

/// Frames and thin lines.
fn rules(surface: &mut Surface<'_>, sheet: &Sheet) {
    let mut frames: BTreeMap<usize, (f32, f32)> = BTreeMap::new();
    for placed in sheet {
        let (top, bottom) = (placed.top, placed.top + placed.row.height);
        if let Some(frame) = placed.row.framed {
            let edges = frames.entry(frame).or_insert((top, bottom));
            *edges = (edges.0.min(top), edges.1.max(bottom));
        }
        if placed.row.ruled && placed.top > MARGIN {
            let y = top - 7.0;
            let mut path = PathBuilder::new();
            path.move_to(MARGIN, y);
            path.line_to(SHEET.0 - MARGIN, y);
            stroke(surface, path.finish(), 0.6, 0x99);
        }
    }
    for (top, bottom) in frames.into_values() {
        let (top, bottom) = (top - PADDING, bottom + PADDING);
        let frame = Rect::from_ltrb(MARGIN, top, SHEET.0 - MARGIN, bottom);
        let path = frame.and_then(|frame| {
            let mut path = PathBuilder::new();
            path.push_rect(frame);
            path.finish()
        });
        stroke(surface, path, 1.4, 0x1a);
    }
}

fn stroke(surface: &mut Surface<'_>, path: Option<Path>, width: f32, grey: u8) {
    let Some(path) = path else { return };
    surface.set_fill(None);
    surface.set_stroke(Some(Stroke {
        paint: luma::Color::new(grey).into(),
        width,
        ..Stroke::default()
    }));
    surface.draw_path(&path);
    surface.set_stroke(None);
}

fn text(
    surface: &mut Surface<'_>,
    faces: &mut BTreeMap<Face, Font>,
    cell: &Cell,
    top: f32,
) -> Result<(), PaperError> {
    let Some(line) = cell.text.layout.get(cell.line) else { return Ok(()) };
    let metrics = line.metrics();
    let y = top + metrics.baseline - metrics.block_min_coord;
    let mut x = cell.x + metrics.offset;
    for run in line.runs() {
        run_of(surface, faces, &cell.text, &run, Point::from_xy(x, y))?;
        x += run.advance();
    }
    Ok(())
}

/// A run has one font and one size; its colour is that of its first glyph.
fn run_of(
    surface: &mut Surface<'_>,
    faces: &mut BTreeMap<Face, Font>,
    set: &Set,
    run: &Run<'_, u8>,
    at: Point,
) -> Result<(), PaperError> {
    let size = run.font_size();
    let mut glyphs: Vec<KrillaGlyph> = Vec::new();
    let mut grey = None;
    for cluster in run.visual_clusters() {
        if cluster.is_ligature_continuation() {
            // It has no glyph of its own.
            if let Some(glyph) = glyphs.last_mut() {
                let (from, to) = (&glyph.text_range, cluster.text_range());
                glyph.text_range = from.start.min(to.start)..from.end.max(to.end);
            }
            continue;
        }
        grey.get_or_insert(cluster.style().brush);
        for glyph in cluster.glyphs() {
            glyphs.push(KrillaGlyph::new(
                GlyphId::new(glyph.id),
                glyph.advance / size,
                glyph.x / size,
                glyph.y / size,
                0.0,
                cluster.text_range(),
                None,
            ));
        }
    }
    if glyphs.is_empty() {
        return Ok(());
    }
    let font = face(faces, run)?;
    surface.set_fill(Some(Fill {
        paint: luma::Color::new(grey.unwrap_or(0)).into(),
        ..Fill::default()
    }));
    surface.draw_glyphs(at, &glyphs, font, &set.text, size, false);
    Ok(())
}

fn face(faces: &mut BTreeMap<Face, Font>, run: &Run<'_, u8>) -> Result<Font, PaperError> {
    let data = run.font();
    let synthesis = run.synthesis();
    let varied = synthesis.variation_settings();
    let key = varied
        .iter()
        .map(|(tag, value)| (u32::from_be_bytes(tag.into_bytes()), value.to_bits()))
        .collect();
    let key = (data.data.id(), data.index, key);
    if let Some(font) = faces.get(&key) {
        return Ok(font.clone());
    }
    let coordinates: Vec<(Tag, f32)> =
        varied.iter().map(|(tag, value)| (Tag::new(&tag.into_bytes()), *value)).collect();
    let (bytes, _) = data.data.clone().into_raw_parts();
    let font = Font::new_variable(bytes.into(), data.index, &coordinates)
        .ok_or_else(|| PaperError::Writing("a font of this machine cannot be read".into()))?;
    faces.insert(key, font.clone());
    Ok(font)
}
