//! People, tokens, drafts, and who has read what.

use serde::Serialize;
use tutti_core::local::Report;
use tutti_proto::node::v1 as api;

use super::given;
use crate::time::rfc3339;

/// One account.
#[derive(Serialize)]
pub(crate) struct Account {
    name: String,
    active: bool,
    roles: Vec<String>,
    pseudonym: String,
    password: String,
    tokens: u32,
    drafts: u32,
}

/// `tutti user list --json`.
#[derive(Serialize)]
pub(crate) struct Accounts {
    accounts: Vec<Account>,
}

/// What a change of an account gives back.
#[derive(Serialize)]
pub(crate) struct AccountAnswer {
    account: Account,
    start_code: Option<String>,
}

/// One token, without its secret.
#[derive(Serialize)]
pub(crate) struct Token {
    id: String,
    account: String,
    label: String,
    scopes: Vec<String>,
    cases: Vec<String>,
    created_at: Option<String>,
    expires_at: Option<String>,
}

/// `tutti token list --json`.
#[derive(Serialize)]
pub(crate) struct Tokens {
    tokens: Vec<Token>,
}

/// `tutti token new --json`.
#[derive(Serialize)]
pub(crate) struct NewToken {
    token: String,
    info: Token,
}

/// `tutti whoami --json`.
#[derive(Serialize)]
pub(crate) struct Me {
    account: Account,
    token: Token,
    may: Vec<String>,
}

/// `tutti access log --json` and `alerts`.
#[derive(Serialize)]
pub(crate) struct AccessLog {
    key: String,
    size: u64,
    entries: Vec<AccessEntry>,
}

#[derive(Serialize)]
struct AccessEntry {
    index: u64,
    at: Option<String>,
    pseudonym: String,
    referral: Option<String>,
    share: Option<String>,
    shares: Vec<String>,
    referrals: Vec<String>,
    what: String,
    reason: Option<String>,
    count: u64,
}

/// `tutti access verify --json`.
#[derive(Serialize)]
pub(crate) struct AccessReport {
    log: String,
    size: u64,
    kinds: std::collections::BTreeMap<String, u64>,
    reads: Vec<AccessEntry>,
    alerts: Vec<AccessEntry>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Finding {
    code: &'static str,
    place: String,
}

/// One draft.
#[derive(Serialize)]
pub(crate) struct Draft {
    id: String,
    saved_at: Option<String>,
    bytes: u32,
    faults: Vec<String>,
    #[serde(rename = "use")]
    used: String,
    target: Option<String>,
    approval: Option<String>,
    files: Vec<DraftFile>,
    erased_at: Option<String>,
}

/// A draft of somebody who has left.
#[derive(Serialize)]
struct LeftDraft {
    id: String,
    account: String,
    saved_at: Option<String>,
    erased_at: Option<String>,
    #[serde(rename = "use")]
    used: String,
    files: u32,
    may_take: bool,
}

/// `tutti referral draft left --json`.
#[derive(Serialize)]
pub(crate) struct LeftDrafts {
    drafts: Vec<LeftDraft>,
}

impl From<&[api::LeftDraft]> for LeftDrafts {
    fn from(drafts: &[api::LeftDraft]) -> Self {
        let draft = |draft: &api::LeftDraft| LeftDraft {
            id: draft.id.clone(),
            account: draft.account.clone(),
            saved_at: rfc3339(draft.saved_at_ms),
            erased_at: rfc3339(draft.erased_at_ms),
            used: draft.r#use.clone(),
            files: draft.files,
            may_take: draft.may_take,
        };
        Self { drafts: drafts.iter().map(draft).collect() }
    }
}

/// A file that is sent with a draft.
#[derive(Serialize)]
pub(crate) struct DraftFile {
    attachment: String,
    kind: String,
    name: String,
    size: u64,
    whole: bool,
    sha256: String,
}

/// `tutti referral draft attachments --json`.
#[derive(Serialize)]
pub(crate) struct DraftFiles {
    files: Vec<DraftFile>,
}

/// `tutti approval list --json`.
#[derive(Serialize)]
pub(crate) struct Approvals {
    waiting: Vec<Approval>,
    own: Vec<Approval>,
}

/// `tutti approval show --json`.
#[derive(Serialize)]
pub(crate) struct ApprovalDraft {
    approval: Option<Approval>,
    form: String,
    files: Vec<DraftFile>,
}

#[derive(Serialize)]
struct Approval {
    draft: String,
    of: String,
    #[serde(rename = "use")]
    used: String,
    target: Option<String>,
    state: String,
    asked_by: String,
    asked_at: Option<String>,
    reason: Option<String>,
    answered_by: Option<String>,
    answer: Option<String>,
    digest: String,
}

impl From<&api::ApprovalInfo> for Approval {
    fn from(info: &api::ApprovalInfo) -> Self {
        Self {
            draft: info.draft.clone(),
            of: info.of.clone(),
            used: info.r#use.clone(),
            target: given(&info.target),
            state: info.state.clone(),
            asked_by: info.asked_by.clone(),
            asked_at: rfc3339(info.asked_at_ms),
            reason: given(&info.reason),
            answered_by: given(&info.answered_by),
            answer: given(&info.answer),
            digest: hex::encode(&info.digest),
        }
    }
}

impl From<&api::ListApprovalsResponse> for Approvals {
    fn from(approvals: &api::ListApprovalsResponse) -> Self {
        let all = |list: &[api::ApprovalInfo]| list.iter().map(Approval::from).collect();
        Self { waiting: all(&approvals.waiting), own: all(&approvals.own) }
    }
}

impl From<&api::ApprovalDraft> for ApprovalDraft {
    fn from(draft: &api::ApprovalDraft) -> Self {
        Self {
            approval: draft.info.as_ref().map(Approval::from),
            form: draft.form.clone(),
            files: draft.files.iter().map(DraftFile::from).collect(),
        }
    }
}

/// `tutti referral draft list --json`.
#[derive(Serialize)]
pub(crate) struct Drafts {
    drafts: Vec<Draft>,
}

impl From<&api::Account> for Account {
    fn from(account: &api::Account) -> Self {
        Self {
            name: account.name.clone(),
            active: account.active,
            roles: account.roles.clone(),
            pseudonym: account.pseudonym.clone(),
            password: account.password.clone(),
            tokens: account.tokens,
            drafts: account.drafts,
        }
    }
}

impl From<&[api::Account]> for Accounts {
    fn from(accounts: &[api::Account]) -> Self {
        Self { accounts: accounts.iter().map(Account::from).collect() }
    }
}

impl From<&api::AccountResponse> for AccountAnswer {
    fn from(answer: &api::AccountResponse) -> Self {
        let account = answer.account.clone().unwrap_or_default();
        Self { account: Account::from(&account), start_code: given(&answer.start_code) }
    }
}

impl From<&api::TokenInfo> for Token {
    fn from(token: &api::TokenInfo) -> Self {
        Self {
            id: token.id.clone(),
            account: token.account.clone(),
            label: token.label.clone(),
            scopes: token.scopes.clone(),
            cases: token.cases.clone(),
            created_at: rfc3339(token.created_at_ms),
            expires_at: rfc3339(token.expires_at_ms),
        }
    }
}

impl From<&[api::TokenInfo]> for Tokens {
    fn from(tokens: &[api::TokenInfo]) -> Self {
        Self { tokens: tokens.iter().map(Token::from).collect() }
    }
}

impl From<&api::IssuedToken> for NewToken {
    fn from(issued: &api::IssuedToken) -> Self {
        let info = issued.info.clone().unwrap_or_default();
        Self { token: issued.token.clone(), info: Token::from(&info) }
    }
}

impl From<&api::WhoAmIResponse> for Me {
    fn from(me: &api::WhoAmIResponse) -> Self {
        let account = me.account.clone().unwrap_or_default();
        let token = me.token.clone().unwrap_or_default();
        Self { account: Account::from(&account), token: Token::from(&token), may: me.may.clone() }
    }
}

impl From<&api::ListAccessResponse> for AccessLog {
    fn from(answer: &api::ListAccessResponse) -> Self {
        let entry = |entry: &api::AccessEntry| AccessEntry {
            index: entry.index,
            at: rfc3339(entry.at_ms),
            pseudonym: entry.pseudonym.clone(),
            referral: given(&entry.referral),
            share: given(&entry.share),
            shares: entry.shares.clone(),
            referrals: entry.referrals.clone(),
            what: entry.what.clone(),
            reason: given(&entry.reason),
            count: entry.count,
        };
        Self {
            key: answer.key.clone(),
            size: answer.size,
            entries: answer.entries.iter().map(entry).collect(),
        }
    }
}

impl From<&Report> for AccessReport {
    fn from(report: &Report) -> Self {
        let read = |read: &tutti_core::local::Read| AccessEntry {
            index: read.index,
            at: rfc3339(read.at_ms),
            pseudonym: read.pseudonym.clone(),
            referral: given(&read.referral),
            share: given(&read.share),
            shares: read.titles.clone(),
            referrals: read.found.clone(),
            what: read.what.clone(),
            reason: given(&read.reason),
            count: read.count,
        };
        let alert = |(index, at_ms, what, pseudonym): &(u64, u64, String, String)| AccessEntry {
            index: *index,
            at: rfc3339(*at_ms),
            pseudonym: pseudonym.clone(),
            referral: None,
            share: None,
            shares: Vec::new(),
            referrals: Vec::new(),
            what: what.clone(),
            reason: None,
            count: 1,
        };
        let finding = |finding: &tutti_core::local::Finding| Finding {
            code: finding.code,
            place: finding.place.clone(),
        };
        Self {
            log: report.log.clone(),
            size: report.size,
            kinds: report.kinds.clone(),
            reads: report.reads.iter().map(read).collect(),
            alerts: report.alerts.iter().map(alert).collect(),
            findings: report.findings.iter().map(finding).collect(),
        }
    }
}

impl From<&api::DraftInfo> for Draft {
    fn from(draft: &api::DraftInfo) -> Self {
        Self {
            id: draft.id.clone(),
            saved_at: rfc3339(draft.saved_at_ms),
            bytes: draft.bytes,
            faults: draft.faults.clone(),
            used: draft.r#use.clone(),
            target: given(&draft.target),
            approval: given(&draft.approval),
            files: draft.files.iter().map(DraftFile::from).collect(),
            erased_at: rfc3339(draft.erased_at_ms),
        }
    }
}

impl From<&api::DraftFile> for DraftFile {
    fn from(file: &api::DraftFile) -> Self {
        Self {
            attachment: file.attachment.clone(),
            kind: file.kind.clone(),
            name: file.name.clone(),
            size: file.size,
            whole: file.whole,
            sha256: hex::encode(&file.sha256),
        }
    }
}

impl From<&[api::DraftFile]> for DraftFiles {
    fn from(files: &[api::DraftFile]) -> Self {
        Self { files: files.iter().map(DraftFile::from).collect() }
    }
}

impl From<&[api::DraftInfo]> for Drafts {
    fn from(drafts: &[api::DraftInfo]) -> Self {
        Self { drafts: drafts.iter().map(Draft::from).collect() }
    }
}
