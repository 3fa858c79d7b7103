/* What looks like a mistyped License Key or deactivation code, by the rules of services/secret_looks.py (docs/adr,
   0010): the letters of a secret are random, and a text whose letters are less varied than those of 99,999 secrets in
   100,000 is none. Network addresses, digests, years and bank accounts are let through. */
"use strict";

const portalLooks = (() => {
    const RARE = 100000;
    const SYMBOLS = 32;
    const BEYOND_F = /[GHJKMNPQRSTUVWXYZ]/g;
    const READ_AS = { I: "1", L: "1", O: "0" };
    const LEAST_MIXED = 2;
    const [OTHER, HEX_DIGIT] = [1, 2];
    const HEX =
        /(?<![0-9A-Z])[0-9A-F]+(?![0-9A-Z])(?:([-:. ]|, )[0-9A-F]+(?![0-9A-Z])(?:\1[0-9A-F]+(?![0-9A-Z]))*)?/g;
    const PUBLIC_ID = /(?<![0-9A-Z])(LIC|ACT|USL|RES|TMB)((?:[ -]?[0-9A-Z]{4}){4}[ -]?[0-9A-Z])(?![0-9A-Z])/g;
    const IBAN_START = /(?<![0-9A-Z])([A-Z]{2})[0-9]{2}/g;
    // ISO 13616: how many letters and digits an international bank account number (IBAN) has, by country.
    const IBAN_LENGTHS = new Map(
        Object.entries({
            15: "NO",
            16: "BE",
            18: "DK FI FK FO GL NL SD",
            19: "MK SI",
            20: "AT BA EE KZ LT LU MN XK",
            21: "CH HR LI LV",
            22: "BG BH CR DE GB GE IE ME RS VA",
            23: "AE GI IL IQ OM SO TL",
            24: "AD CZ ES MD PK RO SA SE SK TN VG",
            25: "LY PT ST",
            26: "IS TR",
            27: "BI DJ FR GR IT MC MR SM",
            28: "AL AZ BY CY DO GT HN HU LB NI PL SV",
            29: "BR EG PS QA UA",
            30: "JO KW MU YE",
            31: "MT SC",
            32: "LC",
            33: "RU",
        }).flatMap(([length, countries]) => countries.split(" ").map((country) => [country, Number(length)])),
    );
    const IBANS = new Map(
        [...new Set(IBAN_LENGTHS.values())].map((length) => {
            const rest = length % 4 ? `[ -]?[0-9A-Z]{${length % 4}}` : "";
            const fours = Math.floor(length / 4) - 1;
            return [length, new RegExp(`[0-9A-Z]{4}(?:[ -]?[0-9A-Z]{4}){${fours}}${rest}(?![0-9A-Z])`, "y")];
        }),
    );

    const cached = (counted) => {
        const found = new Map();
        return (letters) => {
            if (!found.has(letters)) {
                found.set(letters, counted(letters));
            }
            return found.get(letters);
        };
    };

    /* Up to how many letters beyond F so few random ones have less than once in RARE texts; -1 if not even none. */
    const mostOfHex = cached((letters) => {
        let [chance, sum] = [2 ** -letters, 0];
        for (let beyond = 0; beyond <= letters; beyond += 1) {
            sum += chance;
            if (sum * RARE >= 1) {
                return beyond - 1;
            }
            chance *= (letters - beyond) / (beyond + 1);
        }
        return letters;
    });

    /* Up to how many different letters so many random ones have less than once in RARE texts. */
    const mostAlike = cached((letters) => {
        let chances = [1, ...Array(SYMBOLS).fill(0)];
        for (let drawn = 0; drawn < letters; drawn += 1) {
            chances = chances.map((chance, n) => (n ? (chance * n + chances[n - 1] * (SYMBOLS - n + 1)) / SYMBOLS : 0));
        }
        let sum = 0;
        return chances.findIndex((chance) => (sum += chance) * RARE >= 1) - 1;
    });

    const LEAST_HEX = Math.floor(Math.log2(RARE)) + 1;

    function checkDigitsHold(account) {
        const digits = [...account.slice(4), ...account.slice(0, 4)].map((letter) => parseInt(letter, 36)).join("");
        return [...digits].reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0) === 1;
    }

    /* One check character (docs/protocol.md, "Check characters"). */
    function isPublicId(prefix, rest) {
        const letters = [...rest.replace(/[ -]/g, "")].map((letter) => READ_AS[letter] ?? letter);
        const values = letters.map((letter) => "0123456789ABCDEFGHJKMNPQRSTVWXYZ".indexOf(letter));
        const check = values.pop();
        const label = [...prefix].flatMap((letter) => [letter.charCodeAt(0) >> 5, letter.charCodeAt(0) & 31]);
        const doubled = (value) => (value << 1) ^ (value & 16 ? 37 : 0);
        const state = [...label, ...values].reduce((before, symbol) => doubled(before) ^ symbol, 1);
        return !values.includes(-1) && doubled(state) === check;
    }

    /* For each letter of the text whether it belongs to something that is no secret for certain. */
    function whatIsKnown(text) {
        const known = new Uint8Array(text.length);
        for (const { 0: row, index } of text.matchAll(HEX)) {
            if (row.replace(/[^0-9A-F]/g, "").length >= LEAST_HEX) {
                known.fill(HEX_DIGIT, index, index + row.length);
            }
        }
        for (const { 0: id, 1: prefix, 2: rest, index } of text.matchAll(PUBLIC_ID)) {
            if (isPublicId(prefix, rest)) {
                known.fill(OTHER, index, index + id.length);
            }
        }
        for (const { 1: country, index } of text.matchAll(IBAN_START)) {
            const pattern = IBANS.get(IBAN_LENGTHS.get(country));
            if (pattern) {
                pattern.lastIndex = index;
                const written = pattern.exec(text)?.[0] ?? "";
                const account = written.replace(/[ -]/g, "");
                if (account && 2 * account.replace(/[^0-9]/g, "").length >= account.length && checkDigitsHold(account)) {
                    known.fill(OTHER, index, index + written.length);
                }
            }
        }
        return known;
    }

    /* Whether these groups may be those of a secret; `hexDigits` more of them are known to be something else. */
    function varied(groups, hexDigits) {
        if (hexDigits >= LEAST_HEX) {
            return false;
        }
        const isWord = (group) => /^[A-Z]+$/.test(group) && /[AEIOU]/.test(group);
        const others = groups.filter((group) => !isWord(group));
        const mixed = others.filter((group) => !/^[0-9]+$/.test(group)).length;
        const words = groups.filter((group) => isWord(group) && /[ILOU]/.test(group)).length;
        if (mixed < LEAST_MIXED || (mixed === LEAST_MIXED && words >= LEAST_MIXED)) {
            return false;
        }
        const letters = others.join("").replace(/[ILO]/g, (letter) => READ_AS[letter]);
        const beyond = letters.match(BEYOND_F)?.length ?? 0;
        return beyond > mostOfHex(letters.length) && new Set(letters).size > mostAlike(letters.length);
    }

    function looksLike({ size, known: same }, written, known) {
        const places = [...written.matchAll(/[0-9A-Z]/g)].map(({ index }) => index);
        const free = [];
        for (let at = 0; at < places.length; at += size) {
            const group = places.slice(at ? at : same, at + size);
            if (!group.every((place) => known[place])) {
                free.push(group.map((place) => written[place]).join(""));
            }
        }
        return varied(free, places.filter((place) => known[place] === HEX_DIGIT).length);
    }

    return Object.freeze({
        /* Whether a text in capital letters has something in the usual groups of this kind that is as random as one. */
        mistyped(kind, text) {
            let known = null;
            for (const { 1: written, index } of text.matchAll(kind.pattern)) {
                known ??= whatIsKnown(text);
                if (looksLike(kind, written, known.subarray(index, index + written.length))) {
                    return true;
                }
            }
            return false;
        },
    });
})();
