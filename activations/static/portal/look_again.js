"use strict";

// A page about work that is still going on looks again by itself. Without JavaScript it is loaded again by hand.
(() => {
    const seconds = Number(document.currentScript.dataset.seconds);
    window.setTimeout(() => window.location.reload(), seconds * 1000);
})();
