//! Lists page by page, and what is too long for one answer: everything, in as many questions as it takes.
//!
//! A page may hold less than was asked for, or nothing, and still have a next one; the list has ended where
//! it says so.

use tutti_proto::node::v1::{
    Account, DraftInfo, GetInformationRequest, GetReferralRequest, InformationShare, LeftDraft,
    ListAccountsRequest, ListApprovalsRequest, ListApprovalsResponse, ListDraftsRequest,
    ListInformationRequest, ListLeftDraftsRequest, ListLogsRequest, ListReferralsRequest,
    ListTokensRequest, LogStatus, Referral, TokenInfo,
};

use crate::{
    failure::Failure,
    node::{self, Node},
};

/// As many as a page may have.
const PAGE_MAX: u32 = 1000;

/// Every item, where `page` gives what follows a token, and the token of the next page.
async fn all<T>(
    mut page: impl AsyncFnMut(String) -> Result<(Vec<T>, String), Failure>,
) -> Result<Vec<T>, Failure> {
    let (mut all, mut token) = (Vec::new(), String::new());
    loop {
        let (items, next) = page(token).await?;
        all.extend(items);
        if next.is_empty() {
            return Ok(all);
        }
        token = next;
    }
}

/// Every referral that the request asks for.
pub(crate) async fn referrals(
    node: &Node,
    request: ListReferralsRequest,
) -> Result<Vec<Referral>, Failure> {
    all(async |page_token| {
        let request = ListReferralsRequest { page_size: PAGE_MAX, page_token, ..request.clone() };
        let page = node::ask(node.referrals().list(request)).await?;
        Ok((page.referrals, page.next_page_token))
    })
    .await
}

/// Every share that the request asks for.
pub(crate) async fn shares(
    node: &Node,
    request: ListInformationRequest,
) -> Result<Vec<InformationShare>, Failure> {
    all(async |page_token| {
        let request = ListInformationRequest { page_size: PAGE_MAX, page_token, ..request.clone() };
        let page = node::ask(node.information().list(request)).await?;
        Ok((page.shares, page.next_page_token))
    })
    .await
}

/// Every log.
pub(crate) async fn logs(node: &Node) -> Result<Vec<LogStatus>, Failure> {
    all(async |page_token| {
        let page = node::ask(node.log().list(ListLogsRequest { page_token })).await?;
        Ok((page.logs, page.next_page_token))
    })
    .await
}

/// Every account.
pub(crate) async fn accounts(node: &Node) -> Result<Vec<Account>, Failure> {
    all(async |page_token| {
        let request = ListAccountsRequest { page_token };
        let page = node::ask(node.people().list_accounts(request)).await?;
        Ok((page.accounts, page.next_page_token))
    })
    .await
}

/// One's own tokens, or everybody's.
pub(crate) async fn tokens(node: &Node, of_all: bool) -> Result<Vec<TokenInfo>, Failure> {
    all(async |page_token| {
        let request = ListTokensRequest { all: of_all, page_token };
        let page = node::ask(node.people().list_tokens(request)).await?;
        Ok((page.tokens, page.next_page_token))
    })
    .await
}

/// One's own drafts.
pub(crate) async fn drafts(node: &Node) -> Result<Vec<DraftInfo>, Failure> {
    all(async |page_token| {
        let page = node::ask(node.drafts().list(ListDraftsRequest { page_token })).await?;
        Ok((page.drafts, page.next_page_token))
    })
    .await
}

/// Drafts of those who have left.
pub(crate) async fn left_drafts(node: &Node) -> Result<Vec<LeftDraft>, Failure> {
    all(async |page_token| {
        let page = node::ask(node.drafts().list_left(ListLeftDraftsRequest { page_token })).await?;
        Ok((page.drafts, page.next_page_token))
    })
    .await
}

/// What waits for one's approval, and what one has asked for.
pub(crate) async fn approvals(node: &Node) -> Result<ListApprovalsResponse, Failure> {
    let approvals = all(async |page_token| {
        let page = node::ask(node.approvals().list(ListApprovalsRequest { page_token })).await?;
        let all: Vec<_> = page.waiting.into_iter().chain(page.own).collect();
        Ok((all, page.next_page_token))
    });
    let (own, waiting) = approvals.await?.into_iter().partition(|info| info.own);
    Ok(ListApprovalsResponse { waiting, own, ..ListApprovalsResponse::default() })
}

/// A referral with all of its events. Where these take several answers and the content is asked for, each
/// is on record as a reading.
pub(crate) async fn referral(
    node: &Node,
    mut request: GetReferralRequest,
) -> Result<Referral, Failure> {
    let mut whole = node::ask(node.referrals().get(request.clone())).await?;
    while whole.events_left > 0 {
        let Some(first) = whole.events.first() else { break };
        request.events_before = format!("{} {}", first.origin, first.index);
        let earlier = node::ask(node.referrals().get(request.clone())).await?;
        whole.events_left = match earlier.events.is_empty() {
            true => 0,
            false => earlier.events_left,
        };
        whole.events.splice(..0, earlier.events);
    }
    Ok(whole)
}

/// A share with all that is said of it.
pub(crate) async fn share(
    node: &Node,
    mut request: GetInformationRequest,
) -> Result<InformationShare, Failure> {
    let mut whole = node::ask(node.information().get(request.clone())).await?;
    while whole.said_left > 0 {
        let Some(last) = last_said(&whole) else { break };
        request.said_after = last;
        let more = node::ask(node.information().get(request.clone())).await?;
        whole.said_left = if last_said(&more).is_some() { more.said_left } else { 0 };
        whole.responses.extend(more.responses);
        whole.translations.extend(more.translations);
        whole.ignored.extend(more.ignored);
    }
    Ok(whole)
}

/// The last that was said, as ORIGIN INDEX: responses come first, then translations, then what is ignored.
fn last_said(share: &InformationShare) -> Option<String> {
    let responses = share.responses.last().map(|said| (&said.origin, said.index));
    let translations = share.translations.last().map(|said| (&said.origin, said.index));
    let ignored = share.ignored.last().map(|said| (&said.origin, said.index));
    let (origin, index) = ignored.or(translations).or(responses)?;
    Some(format!("{origin} {index}"))
}
