//! What the hospitals do: start a node each, and ask their questions one after the other, all hospitals at once.

use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::DemoError;
use super::data::{Patient, Site};
use super::hospital::Hospital;
use super::questions::{QUESTIONS, Question};
use super::tap::Traffic;

/// How long a hospital waits for the others. All are on this machine, which may be busy.
const DEADLINE: Duration = Duration::from_secs(10);

/// The hospitals, and what they learned.
pub(super) struct Study {
    pub(super) hospitals: [Hospital; 3],
    /// How long the nodes took to start.
    pub(super) opening: Duration,
    /// In the order of [`QUESTIONS`].
    pub(super) answers: Vec<Answer>,
}

/// What came of one question.
pub(super) struct Answer {
    pub(super) question: &'static Question,
    /// The numbers, as each hospital got them.
    pub(super) joint: [Vec<f64>; 3],
    /// What nobody could compute in life: the same from all data in one place.
    pub(super) pooled: Vec<f64>,
    /// From the clients' request to the last one's answer.
    pub(super) took: Duration,
    /// What all three nodes sent.
    pub(super) traffic: Traffic,
}

impl Study {
    pub(super) async fn conduct(sites: [Site; 3], progress: &ProgressBar) -> Result<Self, DemoError> {
        let start = Instant::now();
        progress.set_message("three nodes start …");
        let [a, b, c] = sites;
        let (a, b, c) = tokio::try_join!(open(a, DEADLINE), open(b, DEADLINE), open(c, DEADLINE))?;
        let mut study = Self { hospitals: [a, b, c], opening: start.elapsed(), answers: Vec::new() };
        for question in &QUESTIONS {
            progress.set_message(format!("three hospitals compute {} …", question.function));
            let answer = answer(&study.hospitals, question).await?;
            study.answers.push(answer);
        }
        Ok(study)
    }

    /// Refuses numbers that are further from the truth than they may be, and names who got them.
    pub(super) fn verify(&self) -> Result<(), DemoError> {
        for answer in &self.answers {
            for (hospital, joint) in self.hospitals.iter().zip(&answer.joint) {
                let difference = Question::difference(joint, &answer.pooled);
                if difference > answer.question.tolerance {
                    return Err(DemoError::Wrong {
                        hospital: hospital.site.name,
                        function: answer.question.function,
                        difference,
                    });
                }
            }
        }
        Ok(())
    }
}

impl Answer {
    /// The largest difference from the truth, at any hospital.
    pub(super) fn difference(&self) -> f64 {
        self.joint.iter().map(|joint| Question::difference(joint, &self.pooled)).fold(0.0, f64::max)
    }
}

pub(super) async fn open(site: Site, deadline: Duration) -> Result<Hospital, DemoError> {
    let hospital = site.name;
    let no_answer = |source| DemoError::NoAnswer { hospital, waited_for: Vec::new(), source };
    Hospital::open(site, deadline).await.map_err(no_answer)
}

async fn answer(hospitals: &[Hospital; 3], question: &'static Question) -> Result<Answer, DemoError> {
    let before = sent(hospitals);
    let start = Instant::now();
    let (a, b, c) =
        tokio::try_join!(ask(hospitals, 0, question), ask(hospitals, 1, question), ask(hospitals, 2, question))?;
    let took = start.elapsed();
    let patients: Vec<Patient> = hospitals.iter().flat_map(|hospital| hospital.site.patients.clone()).collect();
    let (joint, pooled) = ([a, b, c], (question.truth)(&patients));
    Ok(Answer { question, joint, pooled, took, traffic: sent(hospitals).since(before) })
}

/// The part of the hospital at `place`.
pub(super) async fn ask(hospitals: &[Hospital; 3], place: usize, question: &Question) -> Result<Vec<f64>, DemoError> {
    let nodes = hospitals.each_ref().map(|hospital| hospital.address.clone());
    let names = hospitals.each_ref().map(|hospital| hospital.site.name);
    hospitals[place].ask(question, &nodes, place).await.map_err(|source| {
        let waited_for = source.culprits().iter().filter_map(|place| names.get(*place).copied()).collect();
        DemoError::NoAnswer { hospital: names[place], waited_for, source }
    })
}

/// What all nodes have sent so far.
fn sent(hospitals: &[Hospital]) -> Traffic {
    hospitals.iter().map(|hospital| hospital.tap.traffic()).sum()
}

#[cfg(test)]
mod tests {
    use super::super::data::sites;
    use super::*;

    fn study() -> Study {
        fsc_protocols::link();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(Study::conduct(sites().unwrap(), &ProgressBar::hidden())).unwrap()
    }

    #[test]
    fn wrong_number_at_any_hospital_is_refused() {
        let mut study = study();
        study.verify().unwrap();
        for (question, answer) in QUESTIONS.iter().zip(0..) {
            let right = study.answers[answer].joint[1].clone();
            for wrong in [right[0] * (1.0 + 1e-11), f64::NAN] {
                study.answers[answer].joint[1][0] = wrong;
                let error = study.verify().unwrap_err().to_string();
                assert!(error.starts_with(&format!("{} at Hospital B ", question.function)), "{error}");
            }
            study.answers[answer].joint[1] = right;
        }
        study.answers[0].joint[2].pop();
        assert!(study.verify().is_err());
    }

    #[test]
    fn hospital_that_does_not_come_is_named() {
        fsc_protocols::link();
        let error = tokio::runtime::Runtime::new().unwrap().block_on(async {
            let deadline = Duration::from_millis(200);
            let [a, b, c] = sites().unwrap().map(|site| open(site, deadline));
            let hospitals = [a.await.unwrap(), b.await.unwrap(), c.await.unwrap()];
            let question = &QUESTIONS[0];
            tokio::try_join!(ask(&hospitals, 0, question), ask(&hospitals, 1, question)).unwrap_err()
        });
        assert!(error.to_string().ends_with("got no answer for want of Hospital C"), "{error}");
    }
}
