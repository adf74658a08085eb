//! The settings of a session, which take part in its transactions.
//!
//! ```text
//! SET work_mem = '1MB'            1MB
//! BEGIN
//! SET LOCAL work_mem = '2MB'      2MB     until the end of the block
//! SAVEPOINT a
//! SET work_mem = '3MB'            3MB
//! ROLLBACK TO a                   2MB
//! COMMIT                          1MB     the SET LOCAL has ended; 3MB was rolled back
//! ```
//!
//! A transaction that has changed a setting keeps two copies beside the current one: what a
//! rollback restores, and what a commit keeps, which lacks the changes of SET LOCAL.
//!
//! ```
//! use minibtree_session_settings::SessionSettings;
//!
//! let mut settings = SessionSettings::default();
//! settings.change(false, |it| it.set("application_name", "mine"))?;
//! settings.commit();
//! assert_eq!(settings.report(), Some(("application_name", "mine")));
//!
//! settings.change(true, |it| it.set("application_name", "local"))?;
//! settings.commit();
//! assert_eq!((&*settings.now.show("application_name")?, settings.report()), ("mine", None));
//! # Ok::<(), minibtree_types::error::SqlError>(())
//! ```
//!
//! PostgreSQL's `guc.c`: `push_old_value`, `AtEOXact_GUC` and `ReportChangedGUCOptions`.

use minibtree_settings::Settings;
use minibtree_types::error::Result;

/// The setting that drivers are told of when it changes. The others that PostgreSQL reports have
/// one value here.
const REPORTED: &str = "application_name";

/// The settings of a session.
#[derive(Default)]
pub struct SessionSettings {
    /// Those that hold.
    pub now: Settings,
    /// Set once the transaction has changed one.
    around: Option<Around>,
    /// Those that the client began with. RESET returns to them.
    start: Vec<(String, String)>,
    /// One may have changed since [`SessionSettings::report`].
    has_changed: bool,
    /// The value that the client was told last.
    reported: String,
}

/// The copies beside the current settings.
#[derive(Clone)]
struct Around {
    before: Settings,
    after_commit: Settings,
}

/// The settings of a savepoint.
#[derive(Clone)]
pub struct Saved(Settings, Option<Around>);

impl SessionSettings {
    /// Begins with these.
    ///
    /// # Errors
    /// Those of SET.
    pub fn start(&mut self, settings: Vec<(String, String)>) -> Result<()> {
        self.start = settings;
        self.start.iter().try_for_each(|(name, value)| self.now.set(name, value))?;
        self.reported = self.now.show(REPORTED)?;
        Ok(())
    }

    /// Changes some, until the end of the transaction if `is_local`.
    ///
    /// # Errors
    /// That of the change; a transaction that goes on has to be rolled back.
    pub fn change(
        &mut self,
        is_local: bool,
        change: impl Fn(&mut Settings) -> Result<()>,
    ) -> Result<()> {
        self.has_changed = true;
        let now = &self.now;
        let unchanged = || Around { before: now.clone(), after_commit: now.clone() };
        let around = self.around.get_or_insert_with(unchanged);
        if !is_local {
            change(&mut around.after_commit)?;
        }
        change(&mut self.now)
    }

    /// RESET; of all settings without a name.
    ///
    /// # Errors
    /// `42704` for a name that is none.
    pub fn reset(&mut self, name: Option<&str>) -> Result<()> {
        name.map(|it| self.now.show(it)).transpose()?;
        let start = self.start.clone();
        self.change(false, |settings| {
            settings.reset(name);
            let is_it = |set: &str| name.is_none_or(|it| it.eq_ignore_ascii_case(set));
            let mut again = start.iter().filter(|(set, _)| is_it(set));
            again.try_for_each(|(name, value)| settings.set(name, value))
        })
    }

    /// The transaction commits.
    pub fn commit(&mut self) {
        self.end(|around| around.after_commit);
    }

    /// The transaction rolls back.
    pub fn roll_back(&mut self) {
        self.end(|around| around.before);
    }

    fn end(&mut self, kept: impl FnOnce(Around) -> Settings) {
        if let Some(around) = self.around.take() {
            self.now = kept(around);
            self.has_changed = true;
        }
    }

    /// What [`SessionSettings::roll_back_to`] restores.
    pub fn save(&self) -> Saved {
        Saved(self.now.clone(), self.around.clone())
    }

    /// The transaction rolls back to a savepoint.
    pub fn roll_back_to(&mut self, saved: Saved) {
        Saved(self.now, self.around) = saved;
        self.has_changed = true;
    }

    /// The name and value of what the client has to be told, if it has changed.
    pub fn report(&mut self) -> Option<(&'static str, &str)> {
        if !std::mem::take(&mut self.has_changed) {
            return None;
        }
        let value = self.now.show(REPORTED).ok().filter(|it| *it != self.reported)?;
        self.reported = value;
        Some((REPORTED, &self.reported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(settings: &mut SessionSettings, is_local: bool, value: &str) {
        settings.change(is_local, |it| it.set("work_mem", value)).expect("a size");
    }

    /// The example above, with what PostgreSQL 15 shows.
    #[test]
    fn savepoints_and_commits_keep_what_was_set_before_them() {
        let mut settings = SessionSettings::default();
        let shown = |it: &SessionSettings| it.now.show("work_mem").expect("a setting");
        set(&mut settings, false, "1MB");
        settings.commit();
        set(&mut settings, true, "2MB");
        let savepoint = settings.save();
        set(&mut settings, false, "3MB");
        assert_eq!(shown(&settings), "3MB");
        settings.roll_back_to(savepoint);
        assert_eq!(shown(&settings), "2MB");
        settings.commit();
        assert_eq!(shown(&settings), "1MB");
    }

    #[test]
    fn reset_returns_to_what_the_client_began_with() {
        let mut settings = SessionSettings::default();
        let start = ("application_name".to_owned(), "mine".to_owned());
        settings.start(vec![start]).expect("a setting");
        assert_eq!(settings.report(), None);
        settings.change(false, |it| it.set("application_name", "other")).expect("any name");
        assert_eq!(settings.report(), Some((REPORTED, "other")));
        settings.reset(None).expect("all of them");
        assert_eq!(settings.report(), Some((REPORTED, "mine")));
        settings.roll_back();
        assert_eq!(settings.report(), None);
        assert_eq!(settings.reset(Some("no_such")).expect_err("unknown").code, "42704");
    }
}
