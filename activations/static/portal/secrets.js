/* What a browser must not keep: License Keys and deactivation codes. Two searches: the groups in which the portal writes
   them, where a typing mistake hides nothing, and whatever groups in which the check characters fit. A false hit costs a
   convenience only. */
"use strict";

const portalSecrets = (() => {
    // K and 41 more letters and digits, in groups of six or in one.
    const GROUPED_KEY = /(?<![0-9A-Za-z])K[0-9A-Z]{5}(?:[^0-9A-Za-z]{0,9}[0-9A-Z]{6}){6}(?![0-9A-Za-z])/gi;
    const KEY = / K[0-9A-Z]{5}(?: ?[0-9A-Z]{6}){6}(?= )/;
    // 28 letters and digits, in groups of four or in one.
    const CODE = / [0-9A-Z]{4}(?: ?[0-9A-Z]{4}){6}(?= )/;
    // What the check characters are counted with, how many letters it has, and what it must have among them.
    const CHECKED_KEY = { label: "KEY", length: 42, must: /^K/ };
    const CHECKED_CODE = { label: "DEACTIVATION", length: 28, must: /[0-9]/ };
    const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, value]));
    // Letters of Russian and Greek keyboards that look like these, and letters that no code has.
    const LOOKALIKES = new Map(
        [..."АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧİ"].map((letter, at) => [letter, "ABEKMHOPCTYXIJSABEZHIKMNOPTYXI"[at]]),
    );
    const READ_AS = { I: "1", L: "1", O: "0" };
    const ESCAPED = /%([0-9A-F]{2})|\\u([0-9A-F]{4})|\\x([0-9A-F]{2})/gi;

    // As mail programs and links leave them: quoted-printable line ends, tags, entities, escapes, unseen characters.
    function viewsOf(text) {
        const bare = text.normalize("NFKC").replace(/\p{Cf}/gu, "");
        const views = [bare, bare.replace(/=\r?\n/g, ""), bare.replace(/<[^<>]{0,2000}>/g, ""), bare.replace(/&#?\w+;/g, " ")];
        views.push(views[1].replace(/=[0-9A-F]{2}/gi, " ").replace(/<[^<>]{0,2000}>/g, " ").replace(/&#?\w+;/g, " "));
        views.push(unescaped(bare), unescaped(unescaped(bare)));
        return [...new Set(views.flatMap((view) => [view.toUpperCase(), latin(view)]))];
    }

    function unescaped(text) {
        return text.replace(ESCAPED, (_, ...codes) => String.fromCharCode(parseInt(codes[0] ?? codes[1] ?? codes[2], 16)));
    }

    function latin(text) {
        return text.toUpperCase().replace(/[^\0-\x7f]/g, (letter) => LOOKALIKES.get(letter) ?? letter);
    }

    function mayHold(shape, checked, text) {
        return viewsOf(text).some(
            (view) => shape.test(` ${view.replace(/[^0-9A-Z]+/g, " ")} `) || holds(checked, view),
        );
    }

    /* Whether letters from the beginning of one group to the end of another fit their check characters. */
    function holds({ label, length, must }, view) {
        let letters = "";
        const starts = [];
        const ends = new Set();
        for (const [group] of view.matchAll(/[0-9A-Z]+/g)) {
            starts.push(letters.length);
            letters += group;
            ends.add(letters.length);
        }
        return starts.some((start) => {
            const window = letters.slice(start, start + length);
            return ends.has(start + length) && must.test(window) && fits(label, window);
        });
    }

    /* Two check characters: the remainder of dividing by x^2 + x + 3 (docs/protocol.md, "Check characters"). */
    function fits(label, window) {
        const values = [...window].map((letter) => VALUES.get(READ_AS[letter] ?? letter));
        if (values.includes(undefined)) {
            return false;
        }
        const [data, check] = [values.slice(0, -2), values.slice(-2)];
        const symbols = [...label].flatMap((letter) => [letter.charCodeAt(0) >> 5, letter.charCodeAt(0) & 31]);
        let [high, low] = [0, 1];
        for (const symbol of [...symbols, ...data, 0, 0]) {
            const three = high ^ (high << 1) ^ (high & 16 ? 37 : 0);
            [high, low] = [low ^ high, symbol ^ three];
        }
        return high === check[0] && low === check[1];
    }

    return Object.freeze({
        /* The text with its License Keys cut out; empty where one may be left. */
        withoutKeys(text) {
            const cut = text.replace(GROUPED_KEY, "[License Key]");
            return mayHold(KEY, CHECKED_KEY, cut) ? "" : cut;
        },
        /* Whether there may be a License Key or a deactivation code in the text. */
        suspected: (text) => mayHold(KEY, CHECKED_KEY, text) || mayHold(CODE, CHECKED_CODE, text),
    });
})();
