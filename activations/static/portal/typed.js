/* What is typed into a form besides the box (reasons, the customer's words, the text of a reply) stays in this tab
   (sessionStorage) until the form is sent: when the session has ended meanwhile, it is in the same form again after
   signing in. Only forms that say what they are about (data-keep) take part, and of those the text areas, text fields and
   choices: never a password, and nothing in which there may be a License Key or a deactivation code. It goes when the form was
   taken, somebody signs out, somebody else signs in, and with the tab. Everything works without it. */
"use strict";

(() => {
    const NAME = "portal-typed";
    const MOST_FORMS = 20;
    const MOST_LETTERS = 100000;
    const FIELDS = "textarea[name], input[type=text][name]";
    const CHOICES = "input[type=radio][name]"; // a tick that somebody has to set with care is set anew
    const user = document.getElementById("signed-in")?.textContent ?? "";
    const forms = [...document.querySelectorAll("form[data-keep]")];

    // {user, forms: {what the form is about: {sent, fields: {name: text}}}}
    function read() {
        try {
            const found = JSON.parse(sessionStorage.getItem(NAME) ?? "null");
            return typeof found?.forms === "object" && found.forms ? found : { user, forms: {} };
        } catch {
            return { user, forms: {} };
        }
    }

    function write(kept) {
        const newest = Object.entries(kept.forms).slice(-MOST_FORMS);
        try {
            if (newest.length) {
                sessionStorage.setItem(NAME, JSON.stringify({ user: kept.user, forms: Object.fromEntries(newest) }));
            } else {
                sessionStorage.removeItem(NAME);
            }
        } catch {
            // A browser that keeps nothing: the pages work as they do without JavaScript.
        }
    }

    function keep(form, sent) {
        const kept = read();
        const fields = {};
        for (const field of form.querySelectorAll(FIELDS)) {
            const text = field.value;
            if (text !== field.defaultValue && text.length <= MOST_LETTERS && !portalSecrets.suspected(text)) {
                fields[field.name] = text;
            }
        }
        for (const choice of form.querySelectorAll(CHOICES)) {
            if (choice.checked && !choice.defaultChecked) {
                fields[choice.name] = choice.value;
            }
        }
        delete kept.forms[form.dataset.keep];
        if (Object.keys(fields).length) {
            kept.forms[form.dataset.keep] = { sent, fields };
        }
        write({ ...kept, user });
    }

    function restore(form, fields) {
        const filled = [...form.querySelectorAll(FIELDS)].filter((field) => {
            const text = fields[field.name];
            // What the server put there now, such as what was typed and refused, is newer.
            if (typeof text !== "string" || field.value !== field.defaultValue || field.value === text) {
                return false;
            }
            field.value = text;
            return true;
        });
        for (const choice of form.querySelectorAll(CHOICES)) {
            if (fields[choice.name] === choice.value && !choice.disabled && !choice.checked) {
                choice.checked = true;
                filled.push(choice.closest("fieldset") ?? choice);
            }
        }
        if (!filled.length) {
            return;
        }
        const said = document.createElement("p");
        said.className = "note note-wait";
        said.setAttribute("role", "status");
        said.textContent = "This is what you typed here before. Read it again before you send it.";
        filled[0].before(said);
        const folded = form.closest("details");
        if (folded) {
            folded.open = true;
        }
    }

    // A page without this script, such as that of a failure, has taken nothing: back from there, the text is still due.
    const back = performance.getEntriesByType("navigation")[0]?.type === "back_forward";
    const here = new Set(forms.map((form) => form.dataset.keep));
    const before = read();
    if (user && before.user !== user) {
        before.forms = {};
    }
    for (const [name, form] of Object.entries(before.forms)) {
        if (user && form.sent && !(back && here.has(name))) {
            delete before.forms[name]; // a page for somebody who is signed in has answered it
        } else {
            form.sent = false; // the sign-in page has not
        }
    }
    write(before);
    for (const form of forms) {
        restore(form, before.forms[form.dataset.keep]?.fields ?? {});
    }
    const signIn = document.getElementById("login-form");
    if (signIn && Object.keys(before.forms).length) {
        const note = document.createElement("p");
        note.className = "note note-wait";
        note.setAttribute("role", "status");
        note.textContent = "What you typed is not lost: sign in, open the same form, and it is there again.";
        signIn.before(note);
    }

    const waiting = new Map();
    document.addEventListener("input", (event) => {
        const form = event.target.closest?.("form[data-keep]");
        if (form) {
            window.clearTimeout(waiting.get(form));
            waiting.set(form, window.setTimeout(() => keep(form, false), 200));
        }
    });
    document.addEventListener("submit", (event) => {
        waiting.forEach((timer) => window.clearTimeout(timer));
        if (event.target.id === "logout-form") {
            write({ user, forms: {} });
        } else if (event.target.matches("form[data-keep]")) {
            keep(event.target, true);
        }
    });
})();
