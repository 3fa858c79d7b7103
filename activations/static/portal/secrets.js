/* What a browser must not keep: License Keys, deactivation codes and API tokens. Two searches, as in services/secret_text.py and
   secret_looks.py: whatever groups in which the check characters fit, and the groups in which the portal writes them,
   where a typing mistake hides nothing that is as random as a secret (docs/adr, 0010). A false hit costs a convenience
   only. */
"use strict";

const portalSecrets = (() => {
    // Six groups follow the first one. The patterns look ahead: one may begin within another.
    const groups = (first, size) =>
        new RegExp(`(?<![0-9A-Z])(?=(${first}(?:[^0-9A-Z]{0,9}[0-9A-Z]{${size}}){6})(?![0-9A-Z]))`, "g");
    // With its dashes, whatever letters touch it.
    const dashed = (first, size) => new RegExp(`(?=(${first}(?:-[0-9A-Z]{${size}}){6}))`, "g");
    // `pattern`, `dashed`, `size`: the usual groups; `known`: how many letters all of them begin with. `label`, `length`,
    // `must`: what the check characters are counted with, how many letters it has, what it must have among them.
    // `unused`: what the last letter of the data is a multiple of, since not all of its bits are used.
    const KEY = {
        ...{ pattern: groups("K[0-9A-Z]{5}", 6), dashed: dashed("K[0-9A-Z]{5}", 6), size: 6, known: 1 },
        ...{ label: "KEY", length: 42, must: /^K/, unused: 8 },
    };
    const CODE = {
        ...{ pattern: groups("[0-9A-Z]{4}", 4), dashed: dashed("[0-9A-Z]{4}", 4), size: 4, known: 0 },
        ...{ label: "DEACTIVATION", length: 28, must: /[0-9]/, unused: 4 },
    };
    // A token of the API has no groups: it is known by its beginning, whole or short of some letters.
    const TOKEN = /CLT\\?_[0-9A-Z]{6,10}\\?_[0-9A-Z_-]{32,43}/gi;
    const BROKEN = /=?[ \t]*\r?\n[ \t>|]*|\\(?=_)/g;
    const GROUPED_KEY = /(?<![0-9A-Za-z])K[0-9A-Z]{5}(?:[^0-9A-Za-z]{0,9}[0-9A-Z]{6}){6}(?![0-9A-Za-z])/gi;
    const ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    const VALUES = new Map([...ALPHABET].map((letter, value) => [letter, value]));
    // Letters of Russian and Greek keyboards that look like these, and letters that no code has.
    const LOOKALIKES = new Map(
        [..."АВЕКМНОРСТУХІЈЅΑΒΕΖΗΙΚΜΝΟΡΤΥΧİ"].map((letter, at) => [letter, "ABEKMHOPCTYXIJSABEZHIKMNOPTYXI"[at]]),
    );
    const READ_AS = { I: "1", L: "1", O: "0" };
    const ESCAPED =
        /%([0-9A-F]{2})|[%\\]u([0-9A-F]{4})|\\u\{0*([0-9A-F]{1,4})\}|\\x([0-9A-F]{2})|\\([0-3][0-7]{2})|\\([nrt])/gi;

    // As mail programs and links leave them: quoted-printable line ends, tags, entities, escapes, unseen characters.
    function viewsOf(text) {
        const bare = text.normalize("NFKC").replace(/[\p{Cf}\p{Mn}\p{Me}]/gu, "");
        const views = [bare, bare.replace(/=\r?\n/g, ""), bare.replace(/<[^<>]{0,2000}>/g, ""), bare.replace(/&#?\w+;/g, " ")];
        views.push(views[1].replace(/=[0-9A-F]{2}/gi, " ").replace(/<[^<>]{0,2000}>/g, " ").replace(/&#?\w+;/g, " "));
        views.push(unescaped(bare), unescaped(unescaped(bare)));
        return [...new Set(views.flatMap((view) => [view.toUpperCase(), latin(view)]))];
    }

    function unescaped(text) {
        return text.replace(ESCAPED, (_, ...codes) => {
            const [link, wide, long, narrow, octal, control] = codes;
            const number = octal ? parseInt(octal, 8) : parseInt(link ?? wide ?? long ?? narrow, 16);
            return control ? " " : String.fromCharCode(number);
        });
    }

    function latin(text) {
        return text.toUpperCase().replace(/[^\0-\x7f]/g, (letter) => LOOKALIKES.get(letter) ?? letter);
    }

    function mayHold(kind, text) {
        return viewsOf(text).some((view) => holds(kind, view) || touched(kind, view) || portalLooks.mistyped(kind, view));
    }

    function mayHoldToken(text) {
        const read = text.replace(/&(?:#0*95|#x0*5f|lowbar);/gi, "_");
        return viewsOf(read).some((view) => [view, view.replace(BROKEN, "")].some((line) => line.search(TOKEN) >= 0));
    }

    function touched({ dashed: pattern, label, unused }, view) {
        return [...view.matchAll(pattern)].some(([, code]) => fits(label, unused, code.replaceAll("-", "")));
    }

    /* Whether letters from the beginning of one group to the end of another fit their check characters. */
    function holds({ label, length, must, unused }, view) {
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
            return ends.has(start + length) && must.test(window) && fits(label, unused, window);
        });
    }

    /* Two check characters: the remainder of dividing by x^2 + x + 3 (docs/protocol.md, "Check characters"). */
    function fits(label, unused, window) {
        const values = [...window].map((letter) => VALUES.get(READ_AS[letter] ?? letter));
        if (values.includes(undefined) || values.at(-3) % unused) {
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
        /* The text with its License Keys and API tokens cut out; empty where one may be left. */
        withoutKeys(text) {
            const bare = text.replace(TOKEN, "[API token]");
            const cut = bare.replace(GROUPED_KEY, (written) => (mayHold(KEY, written) ? "[License Key]" : written));
            return mayHold(KEY, cut) || mayHoldToken(cut) ? "" : cut;
        },
        /* Whether there may be a License Key, a deactivation code or an API token in the text. */
        suspected: (text) => mayHold(KEY, text) || mayHold(CODE, text) || mayHoldToken(text),
    });
})();
