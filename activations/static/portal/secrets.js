/* What a browser must not keep: License Keys and deactivation codes. The same shapes as the portal's own search for them. */
"use strict";

const portalSecrets = (() => {
    // K and 41 more letters and digits, in groups of six or in one.
    const GROUPED_KEY = /(?<![0-9A-Za-z])K[0-9A-Z]{5}(?:[^0-9A-Za-z]{0,9}[0-9A-Z]{6}){6}(?![0-9A-Za-z])/gi;
    const KEY = / K[0-9A-Z]{5}(?: ?[0-9A-Z]{6}){6}(?= )/;
    // 28 letters and digits, in groups of four or in one.
    const CODE = / [0-9A-Z]{4}(?: ?[0-9A-Z]{4}){6}(?= )/;

    function mayHold(shape, text) {
        // As mail programs leave them: quoted-printable line ends, tags, entities, unseen characters between the groups.
        const bare = text.normalize("NFKC").replace(/\p{Cf}/gu, "");
        const views = [bare, bare.replace(/=\r?\n/g, ""), bare.replace(/<[^<>]{0,2000}>/g, ""), bare.replace(/&#?\w+;/g, " ")];
        views.push(views[1].replace(/=[0-9A-F]{2}/gi, " ").replace(/<[^<>]{0,2000}>/g, " ").replace(/&#?\w+;/g, " "));
        return views.some((view) => shape.test(` ${view.toUpperCase().replace(/[^0-9A-Z]+/g, " ")} `));
    }

    return Object.freeze({
        /* The text with its License Keys cut out; empty where one may be left. */
        withoutKeys(text) {
            const cut = text.replace(GROUPED_KEY, "[License Key]");
            return mayHold(KEY, cut) ? "" : cut;
        },
        /* Whether there may be a License Key or a deactivation code in the text. */
        suspected: (text) => mayHold(KEY, text) || mayHold(CODE, text),
    });
})();
