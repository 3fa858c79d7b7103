/* What the desk does beyond plain HTML: copy, Ctrl+Enter, and one click for one booking. Everything works without it. */
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
})();
