//! Templates by example, and what holds for any input.

use proptest::prelude::*;

use super::*;

fn mine(messages: &[&str]) -> Vec<String> {
    let mut templates = Templates::new(100);
    let seen: Vec<_> = messages.iter().map(|m| templates.observe(m)).collect();
    seen.iter().map(|m| templates.text(m.index).to_owned()).collect()
}

#[track_caller]
fn one(messages: &[&str], template: &str) {
    assert!(
        mine(messages).iter().all(|text| text == template),
        "{:?}",
        mine(messages)
    );
}

#[track_caller]
fn apart(messages: &[&str]) {
    assert_eq!(mine(messages), messages);
}

#[test]
fn values_are_generalised() {
    one(&["took 5 ms", "took 7 ms"], "took <*> ms");
    one(
        &[
            "login of anna from 10.0.0.1 accepted",
            "login of bert from 10.0.0.2 accepted",
        ],
        "login of <*> from <*> accepted",
    );
    one(&["mode=fast", "mode=slow"], "mode=<*>");
    one(&["lights(on)", "lights(off)"], "lights(<*>)");
    one(&["loading com.shop.Cart", "loading com.shop.Till"], "loading <*>");
    one(
        &["send to uid 7 was refused", "send to uid none was refused"],
        "send to uid <*> was refused",
    );
}

#[test]
fn how_many_values_a_list_has_does_not_matter_once_it_varies() {
    let last = |messages: &[&str]| mine(messages).pop().unwrap();
    assert_eq!(last(&["sizes (1, 22)", "sizes (3, 4)"]), "sizes (<*>, <*>)");
    assert_eq!(last(&["sizes (1, 22)", "sizes (3, 4, 5)", "sizes (6)"]), "sizes (<*>)");
    assert_eq!(
        last(&["call from 10.0.0.1:80 ended", "call from 10.0.0.2 ended"]),
        "call from <*> ended"
    );
    assert_eq!(
        last(&[
            "sent 733 bytes, lasting <1 sec",
            "sent 4552 bytes (4.44 KB), lasting 00:12"
        ]),
        "sent <*>, lasting <*>"
    );
    let mut templates = Templates::new(10);
    let first = templates.observe("user anna read 5 ms");
    let same = templates.observe("user bert read 7 ms");
    let varied = templates.observe("user carl read 7 ms, 8 ms");
    assert_eq!((same.index, varied.new), (first.index, true));
    // The other reading of the list has to be opened as well before both can be told to be one.
    let joined = templates.observe("user dora read 7 ms, 9 ms");
    assert_eq!((joined.index, templates.len()), (first.index, 1));
    assert_eq!(templates.text(joined.index), "user <*> read <*>");
    assert_eq!(templates.observe("user emil read 7 s").index, first.index);
}

#[test]
fn values_alone_do_not_make_one_of_two() {
    apart(&["VM started", "VM paused"]);
    let texts = mine(&["job 5 started", "job 5, 6 paused", "5, 6", "7"]);
    assert_eq!(texts, ["job <*> started", "job <*>, <*> paused", "<*>, <*>", "<*>"]);
    assert_eq!(
        mine(&["queue 5 items", "queue 5 bytes"]),
        ["queue <*> items", "queue <*> bytes"]
    );
}

#[test]
fn names_stay_apart() {
    apart(&["VM started", "VM paused", "VM resumed"]);
    apart(&["opening the valve of the tank", "closing the valve of the tank"]);
    apart(&["layout of the page has begun", "layout of the page has ended"]);
    apart(&["job is now READY for the queue", "job is now DONE for the queue"]);
    apart(&["limit set to max", "delay set to max"]);
    apart(&["shop.cart closed at night", "shop.till closed at night"]);
    apart(&["[vm] Guest Started (life cycle)", "[vm] Guest Paused (life cycle)"]);
    apart(&["width=wide", "height=wide"]);
    let texts = mine(&["error 5", "error handling"]);
    assert_eq!(texts, ["error <*>", "error handling"]);
}

#[test]
fn many_names_in_one_position_are_a_parameter() {
    let names = ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"];
    let mut templates = Templates::new(100);
    for name in names {
        assert!(templates.observe(&format!("bye {name}")).new);
    }
    let oldest = templates.find("bye ann").unwrap();
    let id = templates.id(oldest);
    let last = templates.observe("bye hal");
    assert!(!last.new);
    assert_eq!(last.index, oldest);
    assert_eq!(templates.text(last.index), "bye <*>");
    assert_eq!(templates.id(last.index), id);
    assert_eq!(templates.count(last.index), 8);
    assert_eq!(templates.len(), 1);
    // The slots of those that joined are used again, and told to be new.
    let next = templates.observe("unlike the others");
    assert!(next.new && !next.evicted && next.index != last.index);
}

#[test]
fn positions_are_opened_one_by_one() {
    let mut templates = Templates::new(100);
    let first = templates.observe("copy from alpha to the disk of beta done");
    templates.observe("copy from gamma to the disk of beta done");
    let last = templates.observe("copy from alpha to the disk of delta done");
    assert_eq!(last.index, first.index);
    assert_eq!(templates.len(), 1);
    assert_eq!(templates.text(last.index), "copy from <*> to the disk of <*> done");
    assert_eq!(templates.count(last.index), 3);
}

#[test]
fn a_number_is_not_any_word_until_a_word_joined_it() {
    let mut templates = Templates::new(100);
    templates.observe("bye ann");
    templates.observe("exit 3");
    assert_eq!(templates.find("exit early"), None);
    assert!(templates.observe("exit early").new);
}

#[test]
fn identity_is_of_the_first_text_and_the_same_everywhere() {
    let mut here = Templates::new(10);
    let mut there = Templates::new(10);
    there.observe("something else happened before");
    let a = here.observe("user anna logged in again").index;
    let b = there.observe("user  anna logged in again ").index;
    let id = here.id(a);
    assert_eq!(id, there.id(b));
    assert_eq!(id, xxh3_64(b"user anna logged in again"));
    let c = here.observe("user bert logged in again").index;
    assert_eq!((a, id), (c, here.id(c)));
    assert_eq!(here.text(c), "user <*> logged in again");
}

#[test]
fn the_least_recently_seen_gives_way() {
    let mut templates = Templates::new(2);
    let first = templates.observe("alpha begins").index;
    let second = templates.observe("beta ends here").index;
    templates.observe("alpha begins");
    let third = templates.observe("gamma");
    assert_eq!(
        third,
        Match {
            index: second,
            new: true,
            evicted: true
        }
    );
    assert_eq!(templates.find("beta ends here"), None);
    assert_eq!(templates.find("alpha begins"), Some(first));
    assert_eq!(templates.len(), 2);
    assert_eq!(Templates::new(0).observe("x").index.slot(), 0);
}

#[test]
fn finding_teaches_nothing() {
    let mut templates = Templates::new(10);
    assert_eq!(templates.find("took 5 ms"), None);
    let index = templates.observe("took 5 ms").index;
    assert_eq!(templates.find("took 6 ms"), Some(index));
    assert_eq!((templates.count(index), templates.len()), (1, 1));
}

#[test]
fn a_broken_state_is_an_error() {
    let mut templates = Templates::new(10);
    templates.observe("took 5 ms");
    templates.observe("user anna logged in again");
    templates.observe("user bert logged in again");
    let state = postcard::to_allocvec(&templates).unwrap();
    for at in 0..state.len() {
        for bit in 0..8 {
            let mut broken = state.clone();
            broken[at] ^= 1 << bit;
            if let Ok(mut templates) = postcard::from_bytes::<Templates>(&broken) {
                templates.observe("user carl logged in again");
                templates.observe("user carl logged out again");
            }
        }
    }
}

fn restored(templates: &Templates) -> Templates {
    postcard::from_bytes(&postcard::to_allocvec(templates).unwrap()).unwrap()
}

/// Messages of few words, so that they meet, join and push each other out.
fn messages() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof![
        "[abc]",
        "[a-z]{3}",
        Just("=".to_owned()),
        Just("7".to_owned()),
        Just("OK".to_owned()),
        Just("a.b".to_owned()),
        Just("(x)".to_owned()),
        Just("5 ms".to_owned()),
        Just("1, 2".to_owned()),
        Just("(3)".to_owned()),
        "[0-9]{1,7}",
        "[ab][0-9]{1,2}",
        "[0-9]{1,3}:[0-9]{2}",
    ];
    let message = prop::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    prop::collection::vec(message, 1..120)
}

proptest! {
    #[test]
    fn a_restored_miner_goes_on_as_if_it_had_never_stopped(
        messages in messages(), stop in 0_usize..120, max in 1_u32..20,
    ) {
        let mut one = Templates::new(max);
        let stop = stop.min(messages.len());
        for message in &messages[..stop] {
            one.observe(message);
        }
        let mut other = restored(&one);
        for message in &messages[stop..] {
            prop_assert_eq!(one.find(message), other.find(message));
            let index = one.observe(message);
            prop_assert_eq!(index, other.observe(message));
            prop_assert_eq!(one.text(index.index), other.text(index.index));
            prop_assert_eq!(one.id(index.index), other.id(index.index));
        }
        prop_assert_eq!(postcard::to_allocvec(&one), postcard::to_allocvec(&other));
    }

    #[test]
    fn what_was_observed_is_found_and_counted(messages in messages(), max in 1_u32..20) {
        let mut templates = Templates::new(max);
        for message in &messages {
            let matched = templates.observe(message);
            prop_assert!(matched.index.slot() < max as usize);
            prop_assert!(templates.len() <= max as usize);
            prop_assert!(templates.count(matched.index) > 0);
            prop_assert_eq!(matched.new, templates.count(matched.index) == 1);
            prop_assert_eq!(templates.find(message), Some(matched.index));
        }
        if !messages.is_empty() && max >= 20 {
            let total: u64 = (0..max).map(|slot| templates.count(TemplateIndex(slot))).sum();
            prop_assert!(total <= messages.len() as u64);
        }
    }

    #[test]
    fn any_bytes_are_read(bytes in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8)) {
        let mut templates = Templates::new(4);
        for bytes in &bytes {
            let message = String::from_utf8_lossy(bytes);
            let index = templates.observe(&message).index;
            prop_assert_eq!(templates.find(&message), Some(index));
            prop_assert!(restored(&templates).find(&message) == Some(index));
        }
    }

    #[test]
    fn any_punctuation_is_read(message in r#"[ -/:-@\[-`{-~a-f0-9TZ\\é]{0,3000}"#) {
        let mut templates = Templates::new(4);
        let index = templates.observe(&message).index;
        prop_assert_eq!(restored(&templates).find(&message), Some(index));
    }
}
