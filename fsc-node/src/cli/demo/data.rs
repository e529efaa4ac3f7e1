//! The demo's data: the biopsies of three hospitals (`data/README.md` says where they come from).

/// Where the data comes from, and under which licence: the licence asks to say so.
pub(super) const SOURCE: [&str; 3] = [
    "Data: Breast Cancer Wisconsin (Diagnostic), W. H. Wolberg, O. L. Mangasarian,",
    "N. Street and W. N. Street, UCI Machine Learning Repository, 1995,",
    "doi:10.24432/C5DW2B, CC BY 4.0. It is real, the three hospitals are not.",
];

const HEADER: &str = "diagnosis,mean_radius,mean_texture,mean_perimeter,mean_area,worst_radius";

/// A hospital and what it must keep to itself.
pub(super) struct Site {
    pub(super) name: &'static str,
    pub(super) patients: Vec<Patient>,
}

/// One biopsy.
#[derive(Clone)]
pub(super) struct Patient {
    pub(super) malignant: bool,
    /// The nuclei's mean radius, in pixels.
    pub(super) radius: f64,
    /// Their mean area, in square pixels.
    pub(super) area: f64,
}

/// The three sites.
pub(super) fn sites() -> Result<[Site; 3], DataError> {
    let site = |name, csv| Ok(Site { name, patients: parse(csv)? });
    Ok([
        site("Hospital A", include_str!("../../../data/site-a.csv"))?,
        site("Hospital B", include_str!("../../../data/site-b.csv"))?,
        site("Hospital C", include_str!("../../../data/site-c.csv"))?,
    ])
}

/// The data is not what the demo was built for.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(super) enum DataError {
    /// Other columns, or in another order.
    #[error("expected the columns {HEADER}")]
    Header,
    /// A line that is no biopsy.
    #[error("line {0} is no diagnosis with five numbers")]
    Line(usize),
}

fn parse(csv: &str) -> Result<Vec<Patient>, DataError> {
    let mut lines = csv.lines();
    if lines.next() != Some(HEADER) {
        return Err(DataError::Header);
    }
    (2..).zip(lines).map(|(number, line)| patient(line).ok_or(DataError::Line(number))).collect()
}

fn patient(line: &str) -> Option<Patient> {
    let (diagnosis, numbers) = line.split_once(',')?;
    let malignant = match diagnosis {
        "malignant" => true,
        "benign" => false,
        _ => return None,
    };
    let number = |text: &str| text.parse().ok().filter(|number: &f64| number.is_finite());
    let numbers: Vec<f64> = numbers.split(',').map(number).collect::<Option<_>>()?;
    let [radius, _texture, _perimeter, area, _worst_radius] = numbers[..] else { return None };
    Some(Patient { malignant, radius, area })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_have_as_many_patients_as_the_readme_says() {
        let readme = include_str!("../../../data/README.md");
        for (site, file) in sites().unwrap().iter().zip(["site-a.csv", "site-b.csv", "site-c.csv"]) {
            let malignant = site.patients.iter().filter(|patient| patient.malignant).count();
            let (all, benign) = (site.patients.len(), site.patients.len() - malignant);
            let row = readme.lines().find(|line| line.starts_with(&format!("| `{file}`"))).unwrap();
            assert!(row.ends_with(&format!("| {all} | {malignant} | {benign} |")), "{row}");
        }
    }

    #[test]
    fn first_patient_is_read_column_by_column() {
        let [site, ..] = sites().unwrap();
        assert!(site.patients[0].malignant);
        assert_eq!([site.patients[0].radius, site.patients[0].area], [17.99, 1001.0]);
    }

    #[test]
    fn damaged_lines_are_named() {
        let line = |text: &str| parse(&format!("{HEADER}\nbenign,1,2,3,4,5\n{text}\n")).map(|patients| patients.len());
        assert_eq!(line("malignant,1,2,3,4,5"), Ok(2));
        for bad in
            ["", "unknown,1,2,3,4,5", "benign,1,2,3,4", "benign,1,2,3,4,5,6", "benign,1,2,3,NaN,5", "benign,,2,3,4,5"]
        {
            assert_eq!(line(bad), Err(DataError::Line(3)), "{bad:?}");
        }
        assert_eq!(parse("benign,1,2,3,4,5").map(|_| ()), Err(DataError::Header));
    }
}
