//! Lists of what the kernel has. A change while it answers may keep something out of the answer;
//! the kernel says so, and is asked again.

use futures_util::StreamExt as _;
use rtnetlink::packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use rtnetlink::packet_route::RouteNetlinkMessage;

use crate::netlink::Netlink;

/// How often a question is asked, before an answer is taken that may lack something: whoever
/// follows the changes hears of the one that came in between.
const TRIES: usize = 8;

/// What the kernel answers to a question for a list.
pub(crate) async fn dump(
    netlink: &Netlink,
    question: RouteNetlinkMessage,
) -> Result<Vec<RouteNetlinkMessage>, rtnetlink::Error> {
    for _ in 1..TRIES {
        let (answers, is_whole) = ask(netlink, question.clone()).await?;
        if is_whole {
            return Ok(answers);
        }
    }
    ask(netlink, question).await.map(|(answers, _)| answers)
}

/// The answers, and whether nothing changed meanwhile.
async fn ask(
    netlink: &Netlink,
    question: RouteNetlinkMessage,
) -> Result<(Vec<RouteNetlinkMessage>, bool), rtnetlink::Error> {
    let mut question = NetlinkMessage::from(question);
    question.header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut handle = netlink.0.clone();
    let mut messages = handle.request(question)?;
    let (mut answers, mut is_whole) = (Vec::new(), true);
    while let Some(message) = messages.next().await {
        is_whole &= message.header.flags & NLM_F_DUMP_INTR == 0;
        match message.payload {
            NetlinkPayload::InnerMessage(answer) => answers.push(answer),
            NetlinkPayload::Error(error) => return Err(rtnetlink::Error::NetlinkError(error)),
            _ => {}
        }
    }
    Ok((answers, is_whole))
}
