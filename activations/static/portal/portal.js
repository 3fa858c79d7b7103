/* What the desk does beyond plain HTML: copy, Ctrl+Enter, one click for one booking, "/" for the search, files dropped on
   the box, and a box that keeps its text over a sign-in. Everything works without it. */
"use strict";

(() => {
    const copied = "Copied";

    async function copyText(text) {
        if (navigator.clipboard && window.isSecureContext) {
            await navigator.clipboard.writeText(text);
            return true;
        }
        // Browsers give the clipboard to https pages only; a portal on plain http still has the older way.
        const area = document.createElement("textarea");
        area.value = text;
        area.setAttribute("readonly", "");
        area.className = "visually-hidden";
        document.body.append(area);
        area.select();
        const done = document.execCommand("copy");
        area.remove();
        return done;
    }

    function selectAll(element) {
        const range = document.createRange();
        range.selectNodeContents(element);
        const selection = window.getSelection();
        selection.removeAllRanges();
        selection.addRange(range);
    }

    for (const button of document.querySelectorAll("[data-copy]")) {
        const label = button.textContent;
        const said = document.createElement("span");
        said.className = "visually-hidden";
        said.setAttribute("role", "status");
        button.after(said);
        button.hidden = false;
        if (button.hasAttribute("autofocus")) {
            button.focus();
        }
        button.addEventListener("click", async () => {
            const source = document.getElementById(button.dataset.copy);
            const done = await copyText(source.textContent).catch(() => false);
            if (!done) {
                selectAll(source);
            }
            button.textContent = done ? copied : "Selected: press Ctrl+C";
            said.textContent = button.textContent;
            window.setTimeout(() => {
                button.textContent = label;
                said.textContent = "";
            }, 2500);
        });
    }

    for (const form of document.querySelectorAll("form[data-once]")) {
        form.addEventListener("submit", (event) => {
            if (form.dataset.sent) {
                event.preventDefault();
                return;
            }
            form.dataset.sent = "yes";
            for (const button of form.querySelectorAll("button[type=submit]")) {
                button.setAttribute("aria-disabled", "true");
            }
        });
    }

    // Back from the next page, the browser may show this one as it was left: its buttons must work again.
    window.addEventListener("pageshow", () => {
        for (const form of document.querySelectorAll("form[data-once]")) {
            delete form.dataset.sent;
            for (const button of form.querySelectorAll("button[aria-disabled]")) {
                button.removeAttribute("aria-disabled");
            }
        }
    });

    // A held key repeats into the next page; only a fresh press confirms what that page shows.
    document.addEventListener("keydown", (event) => {
        if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey) || event.repeat) {
            return;
        }
        const form = document.activeElement?.closest?.("form[data-ctrl-enter]") ?? document.querySelector("form[data-ctrl-enter]");
        const button = form?.querySelector("button.primary, button[type=submit]");
        if (button) {
            event.preventDefault();
            form.requestSubmit(button);
        }
    });

    document.addEventListener("keydown", (event) => {
        const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
        const search = document.getElementById("search");
        if (event.key === "/" && search && !typing && !event.ctrlKey && !event.metaKey && !event.altKey) {
            event.preventDefault();
            search.focus();
            search.select();
        }
    });
})();

/* What is in the box, or was sent from it and got no answer, stays in this tab (sessionStorage) until an answer to it is
   shown: when the session has ended meanwhile, it is in the box again after signing in. It goes when somebody signs out,
   or somebody else signs in, and with the tab. License Keys are never kept: they are cut out, and a text that may still
   hold one is not kept at all. */
(() => {
    const NAME = "portal-box";
    const MOST = 1000000;
    const user = document.getElementById("signed-in")?.textContent ?? "";
    const box = document.getElementById("box");
    const area = box?.querySelector("textarea");
    const upload = box?.querySelector("input[type=file]");
    let fileText = "";

    function keep(text) {
        const safe = text.length <= MOST ? portalSecrets.withoutKeys(text) : "";
        try {
            if (safe.trim()) {
                sessionStorage.setItem(NAME, JSON.stringify({ user, text: safe }));
            } else {
                sessionStorage.removeItem(NAME);
            }
        } catch {
            // A browser that keeps nothing: the desk works as it does without JavaScript.
        }
    }

    function kept() {
        try {
            const found = JSON.parse(sessionStorage.getItem(NAME) ?? "null");
            return typeof found?.text === "string" ? found : null;
        } catch {
            return null;
        }
    }

    function say(id, words) {
        const place = document.getElementById(id);
        if (place) {
            place.textContent = words;
            place.hidden = false;
        }
    }

    if (document.querySelector("meta[name=box][content=answered]")) {
        keep("");
    }
    const before = kept();
    if (before && user && before.user !== user) {
        keep("");
    } else if (before && !user && document.getElementById("login-form")) {
        const note = document.createElement("p");
        note.className = "note note-wait";
        note.setAttribute("role", "status");
        note.textContent = "What you pasted is not lost: sign in, and it is in the box again.";
        document.getElementById("login-form").before(note);
    } else if (before && area && !area.value) {
        area.value = before.text;
        say("box-restored", "This is what you had in the box. Press Look to go on, or paste over it.");
        if (document.activeElement === area || document.activeElement === document.body) {
            area.focus();
            area.select();
        }
    } else if (area?.value && document.getElementById("several-title")) {
        keep(area.value);
    }

    let waiting = 0;
    area?.addEventListener("input", () => {
        window.clearTimeout(waiting);
        waiting = window.setTimeout(() => keep(area.value), 200);
    });

    // Read here as well, so that a file that was sent and not answered is no more lost than a text.
    async function readFile() {
        const file = upload.files[0];
        fileText = "";
        if (!file) {
            return;
        }
        say("box-file", `${file.name} is ready. Press Look to read it; it is used instead of the text in the box.`);
        const bytes = file.size <= MOST ? new Uint8Array(await file.arrayBuffer()) : new Uint8Array();
        const wide = (bytes[0] === 0xff && bytes[1] === 0xfe && "utf-16le") || (bytes[0] === 0xfe && bytes[1] === 0xff && "utf-16be");
        fileText = new TextDecoder(wide || "utf-8").decode(bytes);
    }

    upload?.addEventListener("change", readFile);

    const hasFiles = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");
    for (const name of ["dragenter", "dragover"]) {
        box?.addEventListener(name, (event) => {
            if (hasFiles(event)) {
                event.preventDefault();
                box.classList.add("box-over");
            }
        });
    }
    for (const name of ["dragleave", "drop", "dragend"]) {
        box?.addEventListener(name, () => box.classList.remove("box-over"));
    }
    box?.addEventListener("drop", (event) => {
        if (!hasFiles(event)) {
            return;
        }
        event.preventDefault();
        const first = new DataTransfer();
        first.items.add(event.dataTransfer.files[0]);
        upload.files = first.files;
        readFile();
        box.querySelector("button.primary").focus();
    });

    document.addEventListener("submit", (event) => {
        const form = event.target;
        if (form.id === "logout-form") {
            window.clearTimeout(waiting);
            keep("");
        } else if (form === box) {
            window.clearTimeout(waiting);
            keep(fileText || area.value);
        } else if (form.hasAttribute("data-once") && !kept()) {
            // A dry run that is confirmed carries the text, or the code with its License ID, on to the booking.
            const named = ["text", "license_id", "code"].map((name) => form.elements[name]?.value ?? "");
            keep(form.elements.text ? named[0] : named.join("\n").trim());
        }
    });
})();
