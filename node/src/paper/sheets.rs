//! From lines to sheets: as many as fit, and nothing parted that belongs together.

use super::lines::{MARGIN, PADDING, Row, SHEET};

/// A line at its place.
pub(super) struct Placed {
    /// From the top of the sheet to the top of the line, points.
    pub(super) top: f32,
    pub(super) row: Row,
}

/// A sheet, from top to bottom.
pub(super) type Sheet = Vec<Placed>;

/// Room for the page's number below the last line.
const FOOT: f32 = 14.0;

/// All lines on as few sheets as they need.
pub(super) fn fill(rows: Vec<Row>) -> Vec<Sheet> {
    let bottom = SHEET.1 - MARGIN - FOOT;
    let mut sheets = vec![Sheet::new()];
    let mut at = MARGIN;
    let mut groups = Vec::new();
    let mut group = Vec::new();
    for row in rows {
        let last = !row.with_next;
        group.push(row);
        if last {
            groups.push(std::mem::take(&mut group));
        }
    }
    groups.push(group);
    for group in groups {
        let height: f32 = group.iter().map(|row| row.before + row.height).sum();
        let fits_a_sheet = height <= bottom - MARGIN - 2.0 * PADDING;
        let mut break_here = at > MARGIN && at + height > bottom && fits_a_sheet;
        for row in group {
            // What is larger than a sheet is parted where the sheet ends.
            if break_here || (at > MARGIN && at + row.before + row.height > bottom) {
                sheets.push(Sheet::new());
                at = MARGIN;
                break_here = false;
            }
            let Some(sheet) = sheets.last_mut() else { continue };
            if !sheet.is_empty() {
                at += row.before;
            } else if row.framed.is_some() {
                at += PADDING;
            }
            let height = row.height;
            sheet.push(Placed { top: at, row });
            at += height;
        }
    }
    sheets
}
