//! A plan as a picture: where records come from, what each round sees, and how its labels come back.

use std::fmt::Write;

use millstream_imageops::{Mixing, Per};

use crate::plan::{
    DistillPlan, Plan, RoundPlan, SourcePlan, SplitPlan, TakePlan, TeacherPlan, TrainingPlan, UnlabelledPlan, ViewOf,
    ViewPlan,
};

/// What training does to its images, in words: a line for each view, and one for mixing. Nothing for a single view
/// without steps.
#[must_use]
pub fn noise(training: &TrainingPlan) -> Vec<String> {
    let plain = |view: &ViewPlan| view.steps.is_empty() && view.count == 1;
    let views = match training.views.as_slice() {
        [only] if plain(only) => &[],
        views => views,
    };
    views.iter().map(view_line).chain(training.mix.as_ref().map(mix_line)).collect()
}

/// "view strong, 2 of each unlabelled: flip randaugment".
fn view_line(view: &ViewPlan) -> String {
    let which = match (view.count, view.of) {
        (1, ViewOf::All) => String::new(),
        (1, ViewOf::Labelled) => " of labelled".to_string(),
        (1, ViewOf::Unlabelled) => " of unlabelled".to_string(),
        (count, ViewOf::All) => format!(", {count} of each"),
        (count, ViewOf::Labelled) => format!(", {count} of each labelled"),
        (count, ViewOf::Unlabelled) => format!(", {count} of each unlabelled"),
    };
    let steps: Vec<&str> = view.steps.iter().map(|step| step.name()).collect();
    let steps = if steps.is_empty() { "as it is".to_string() } else { steps.join(" ") };
    format!("view {}{which}: {steps}", view.name)
}

/// Who says what unlabelled images are that come without labels.
fn whose(word: &UnlabelledPlan) -> &'static str {
    match word {
        UnlabelledPlan::Selected => "pseudo-labels",
        UnlabelledPlan::Teacher => "as the teacher says",
        UnlabelledPlan::Own(_) => "as the model says itself",
    }
}

/// "mix by cutmix(1) or mixup(0.2), p 0.5, drawn for each image".
fn mix_line(mix: &Mixing) -> String {
    let ways = [("cutmix", mix.cutmix), ("mixup", mix.mixup)].into_iter().filter(|(_, alpha)| *alpha > 0.0);
    let ways: Vec<String> = ways.map(|(name, alpha)| format!("{name}({alpha})")).collect();
    let often = if mix.p < 1.0 { format!(", p {}", mix.p) } else { String::new() };
    let per = match mix.per {
        Per::Batch => "",
        Per::Element => ", drawn for each image",
    };
    format!("mix by {}{often}{per}", ways.join(" or "))
}

/// How a graph is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// A Mermaid flowchart, as Markdown pages show it.
    Mermaid,
    /// Graphviz.
    Dot,
    /// Lines for a terminal.
    Text,
}

/// Draws a plan. The result ends with a line break.
#[must_use]
pub fn render(plan: &Plan, format: Format) -> String {
    let graph = Graph::of(plan);
    match format {
        Format::Mermaid => graph.mermaid(),
        Format::Dot => graph.dot(),
        Format::Text => graph.text(),
    }
}

/// The outline of a node.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Shape {
    Source,
    Split,
    Round,
    Select,
}

struct Node {
    id: String,
    shape: Shape,
    /// The first line is the name.
    lines: Vec<String>,
}

struct Edge {
    from: String,
    to: String,
    label: String,
    /// Whether records only steer or are left out, and do not flow.
    dashed: bool,
}

#[derive(Default)]
struct Graph {
    name: String,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

impl Graph {
    fn of(plan: &Plan) -> Graph {
        let mut graph = Graph { name: plan.name.clone(), ..Graph::default() };
        for (name, source) in &plan.data.sources {
            graph.node(source_id(name), Shape::Source, vec![name.clone(), source_line(source)]);
        }
        for split in &plan.data.splits {
            graph.split(plan, split);
        }
        for (number, round) in plan.rounds.iter().enumerate() {
            graph.round(plan, number, round);
        }
        graph
    }

    fn node(&mut self, id: String, shape: Shape, lines: Vec<String>) {
        self.nodes.push(Node { id, shape, lines });
    }

    fn edge(&mut self, from: String, to: String, label: &str, dashed: bool) {
        self.edges.push(Edge { from, to, label: label.to_string(), dashed });
    }

    fn split(&mut self, plan: &Plan, split: &SplitPlan) {
        let id = split_id(&split.name);
        self.node(id.clone(), Shape::Split, vec![split.name.clone(), take_line(&split.take)]);
        for name in &split.from {
            let source = plan.data.sources.iter().any(|(source, _)| source == name);
            let from = if source { source_id(name) } else { split_id(name) };
            self.edge(from, id.clone(), "", false);
        }
        for name in &split.except {
            self.edge(split_id(name), id.clone(), "except", true);
        }
    }

    fn round(&mut self, plan: &Plan, number: usize, round: &RoundPlan) {
        let id = format!("round_{number}");
        let training = &round.training;
        let role = if number == 0 && training.distill.is_none() { "teacher" } else { "student" };
        let unlabelled = training.learns_from_unlabelled(number);
        let batch = match unlabelled {
            false => training.batch.to_string(),
            true => format!("({} + {} x {0})", training.batch, training.unlabelled_ratio),
        };
        let mut lines = vec![
            format!("round {number}"),
            format!("{role} {}", round.model),
            format!("{} steps of {batch} images", training.steps),
        ];
        lines.extend(noise(training));
        self.node(id.clone(), Shape::Round, lines);
        self.edge(split_id("labelled"), id.clone(), "", false);
        if unlabelled {
            match &training.unlabelled {
                UnlabelledPlan::Selected => {
                    self.edge(format!("select_{}", number - 1), id.clone(), "pseudo-labels", false);
                }
                word => self.edge(split_id("unlabelled"), id.clone(), whose(word), false),
            }
        }
        self.teacher(number, training.distill.as_ref());
        if plan.data.splits.iter().any(|split| split.name == "validation") {
            let does = if plan.selection.calibrate.is_some() { "calibrates" } else { "validates" };
            self.edge(split_id("validation"), id.clone(), does, true);
        }
        self.edge(split_id("test"), id.clone(), "tests", true);
        if number + 1 < plan.rounds.len() {
            let select = format!("select_{number}");
            self.node(select.clone(), Shape::Select, selection_lines(plan, number));
            self.edge(split_id("unlabelled"), select.clone(), "", false);
            self.edge(id, select, "labels", false);
        }
    }

    fn teacher(&mut self, number: usize, distill: Option<&DistillPlan>) {
        let Some(distill) = distill else { return };
        let from = match &distill.teacher {
            TeacherPlan::Previous => format!("round_{}", number.saturating_sub(1)),
            TeacherPlan::File(path) => {
                let id = format!("teacher_{number}");
                self.node(id.clone(), Shape::Source, vec![format!("teacher {number}"), path.display().to_string()]);
                id
            }
        };
        self.edge(from, format!("round_{number}"), "teaches", false);
    }

    fn mermaid(&self) -> String {
        let mut out = format!("---\ntitle: {}\n---\nflowchart TD\n", self.name);
        for node in &self.nodes {
            let (open, close) = match node.shape {
                Shape::Source => ("[(", ")]"),
                Shape::Split => ("([", "])"),
                Shape::Round => ("[", "]"),
                Shape::Select => ("{{", "}}"),
            };
            let label = node.lines.iter().map(|line| line.replace('"', "#quot;")).collect::<Vec<_>>().join("<br/>");
            push(&mut out, format_args!("    {}{open}\"{label}\"{close}", node.id));
        }
        for Edge { from, to, label, dashed } in &self.edges {
            let arrow = if *dashed { "-.->" } else { "-->" };
            let label = if label.is_empty() { String::new() } else { format!("|{label}|") };
            push(&mut out, format_args!("    {from} {arrow}{label} {to}"));
        }
        out
    }

    fn dot(&self) -> String {
        let mut out = format!("digraph {} {{\n    node [fontname=\"sans-serif\"];\n", dot_quoted(&self.name));
        for node in &self.nodes {
            let shape = match node.shape {
                Shape::Source => "cylinder",
                Shape::Split => "ellipse",
                Shape::Round => "box",
                Shape::Select => "hexagon",
            };
            push(
                &mut out,
                format_args!("    {} [shape={shape}, label={}];", node.id, dot_quoted(&node.lines.join("\n"))),
            );
        }
        for Edge { from, to, label, dashed } in &self.edges {
            let style = if *dashed { "dashed" } else { "solid" };
            push(&mut out, format_args!("    {from} -> {to} [label={}, style={style}];", dot_quoted(label)));
        }
        out.push_str("}\n");
        out
    }

    /// One line a node, with what comes into it.
    fn text(&self) -> String {
        let mut out = format!("{}\n", self.name);
        let width = self.nodes.iter().map(|node| title(node).chars().count()).max().unwrap_or(0);
        for node in &self.nodes {
            let details = node.lines.get(1..).unwrap_or_default().join(", ");
            let inputs = self.edges.iter().filter(|edge| edge.to == node.id).map(|edge| self.input(edge));
            let inputs = inputs.collect::<Vec<_>>().join(", ");
            let arrow = if inputs.is_empty() { String::new() } else { format!("  <- {inputs}") };
            push(&mut out, format_args!("  {:width$}  {details}{arrow}", title(node)));
        }
        out
    }

    fn input(&self, edge: &Edge) -> String {
        let from = self.nodes.iter().find(|node| node.id == edge.from).map_or(edge.from.clone(), title);
        match edge.label.as_str() {
            "" => from,
            label => format!("{from} ({label})"),
        }
    }
}

/// Adds a line. Writing into a `String` cannot fail.
fn push(out: &mut String, line: std::fmt::Arguments<'_>) {
    let _ = writeln!(out, "{line}");
}

fn title(node: &Node) -> String {
    let name = node.lines.first().map_or("", String::as_str);
    match node.shape {
        Shape::Source => format!("source {name}"),
        Shape::Split => format!("split {name}"),
        Shape::Round | Shape::Select => name.to_string(),
    }
}

/// Names may hold `-`, which ids in a graph may not.
fn source_id(name: &str) -> String {
    format!("source_{}", id(name))
}

fn split_id(name: &str) -> String {
    format!("split_{}", id(name))
}

fn id(name: &str) -> String {
    // `_` is doubled so that `a-b` and `a_b` stay apart.
    name.replace('_', "__").replace('-', "_d_")
}

fn dot_quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n"))
}

fn source_line(source: &SourcePlan) -> String {
    match source {
        SourcePlan::Idx { images, .. } => format!("IDX {}", images.display()),
        SourcePlan::Folder { path, .. } => format!("folder {}", path.display()),
        SourcePlan::Csv { path, .. } => format!("CSV {}", path.display()),
        SourcePlan::WebDataset { path } => format!("WebDataset {}", path.display()),
        SourcePlan::Parquet { path, .. } => format!("Parquet {}", path.display()),
    }
}

fn take_line(take: &TakePlan) -> String {
    match take {
        TakePlan::All => "all".to_string(),
        TakePlan::PerClass(count) => format!("{count} of each class"),
        TakePlan::Fraction(share) => format!("a share of {share}"),
        TakePlan::List(path) => format!("listed in {}", path.display()),
    }
}

fn selection_lines(plan: &Plan, number: usize) -> Vec<String> {
    let confidence = if plan.selection.calibrate.is_some() { "calibrated confidence" } else { "confidence" };
    let mut lines = vec![format!("select {number}"), format!("{confidence} >= {}", plan.selection.threshold)];
    lines.extend(plan.selection.balance.map(|balance| format!("{} of each class", balance.per_class)));
    lines
}

#[cfg(test)]
mod tests;
