//! `models`: the architectures, what each weighs and where it comes from.

use std::process::ExitCode;

use comfy_table::{CellAlignment, ContentArrangement, Table, presets::NOTHING};
use millstream_train::{ModelKind, ModelSettings, TrainError};
use serde::Serialize;

use super::{print, print_json};
use crate::args::ModelsArgs;

/// A line of the list. Sizes are those with three channels and 1000 classes.
#[derive(Serialize)]
struct Line {
    model: &'static str,
    /// Side of the images it was made for, in pixels.
    side: u32,
    parameters: u64,
    macs: u64,
    settings: ModelSettings,
    source: &'static str,
}

pub(crate) fn models(args: &ModelsArgs) -> anyhow::Result<ExitCode> {
    let lines = ModelKind::all().iter().map(line).collect::<Result<Vec<_>, _>>()?;
    match args.json.json {
        true => print_json(&lines)?,
        false => print(&format!(
            "{}\nParameters and multiply-accumulates (MACs) with 3 channels and 1000 classes, of one image of that side.",
            table(&lines)
        ))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn line(kind: &ModelKind) -> Result<Line, TrainError> {
    let size = kind.usual_size()?;
    Ok(Line {
        model: kind.name(),
        side: kind.usual_side(),
        parameters: size.parameters,
        macs: size.macs,
        settings: kind.settings(),
        source: kind.source(),
    })
}

fn table(lines: &[Line]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["model", "side", "parameters", "MACs", "settings and their defaults", "source"]);
    for line in lines {
        table.add_row([
            line.model.to_owned(),
            line.side.to_string(),
            format!("{:.2} M", line.parameters as f64 / 1e6),
            format!("{:.2} G", line.macs as f64 / 1e9),
            settings(&line.settings),
            line.source.to_owned(),
        ]);
    }
    for column in table.column_iter_mut().skip(1).take(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

fn settings(settings: &ModelSettings) -> String {
    let ModelSettings { width, dropout, drop_path } = settings;
    let mut parts: Vec<String> = width.iter().map(|width| format!("width: {width}")).collect();
    parts.extend(dropout.map(|rate| format!("dropout: {rate}")));
    parts.extend(drop_path.map(|rate| format!("drop_path: {rate}")));
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use millstream_data::Shape;
    use millstream_spec::parse;
    use millstream_train::ModelSize;

    use super::*;

    fn pipeline(model: &str, side: u32) -> Result<millstream_spec::Plan, millstream_spec::Diagnostics> {
        let text = format!(
            "
name: any
memory: 8GiB
data:
  sources: {{ all: {{ idx: {{ images: images, labels: labels }} }} }}
  splits: {{ labelled: {{ from: all }}, test: {{ from: all }} }}
stream: {{ size: [{side}, {side}], channels: rgb }}
rounds: [ {{ model: {{ {model} }}, training: {{ steps: 1 }} }} ]
"
        );
        parse(&text, "any.yaml", &[])
    }

    /// `spec` and `train` do not know each other, so both hold the names, the defaults and the least sizes.
    #[test]
    fn definitions_know_every_model_with_its_defaults_and_its_least_size() {
        for kind in ModelKind::all() {
            let name = kind.name();
            let written = if name == "smallnet" { "smallnet: { width: 16 }" } else { &format!("{name}: {{}}") };
            let model = pipeline(written, kind.usual_side()).unwrap().rounds[0].model;
            let settings =
                ModelSettings { width: model.width, dropout: Some(model.dropout), drop_path: model.drop_path };
            assert_eq!(ModelKind::new(model.name, &settings).unwrap(), kind);
            for side in [1, 8, 15, 16, 31, 32, 62, 63, 224] {
                let shape = Shape { height: side, width: side, channels: 3 };
                let (valid, builds) = (pipeline(written, side).is_ok(), ModelSize::of(&kind, &shape, 10).is_ok());
                assert_eq!(valid, builds, "{name} at {side} pixels");
            }
        }
    }

    #[test]
    fn the_list_has_sizes_settings_and_sources() {
        let lines: Vec<Line> = ModelKind::all().iter().map(|kind| line(kind).unwrap()).collect();
        let text = table(&lines);
        let line = text.lines().find(|line| line.contains("efficientnet_b0")).unwrap();
        for part in ["224", "5.29 M", "0.39 G", "dropout: 0.2, drop_path: 0.2", "arXiv:1905.11946"] {
            assert!(line.contains(part), "{part} in {line}");
        }
    }
}
