/* The API's page: Swagger UI on the portal's own document. A call goes out with the session of who is signed in. */
"use strict";

(() => {
    const KEY = "Idempotency-Key";
    const place = document.getElementById("swagger-ui");

    function newKey() {
        if (crypto.randomUUID) return crypto.randomUUID();
        // Without TLS a browser has no randomUUID.
        const bytes = crypto.getRandomValues(new Uint8Array(16));
        bytes[6] = (bytes[6] & 0x0f) | 0x40;
        bytes[8] = (bytes[8] & 0x3f) | 0x80;
        const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
        return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
    }

    // Each operation has a key of its own; Reset brings a new one.
    function withKeys(spec) {
        for (const path of Object.values(spec.paths)) {
            for (const operation of Object.values(path)) {
                for (const parameter of operation.parameters || []) {
                    if (parameter.name === KEY) parameter.schema = { ...parameter.schema, default: newKey() };
                    if (parameter.name === "If-None-Match") delete parameter.example;
                }
            }
        }
        return spec;
    }

    function withSession(request) {
        const method = (request.method || "GET").toUpperCase();
        const own = new URL(request.url, location.href).origin === location.origin;
        if (own && method !== "GET" && !request.headers.Authorization && place.dataset.csrf) {
            request.headers["X-CSRFToken"] = place.dataset.csrf;
        }
        return request;
    }

    fetch(place.dataset.document, { credentials: "same-origin" })
        .then((answer) => answer.json())
        .then((spec) => {
            SwaggerUIBundle({
                spec: withKeys(spec),
                domNode: place,
                deepLinking: true,
                docExpansion: "list",
                defaultModelsExpandDepth: 0,
                displayRequestDuration: false,
                persistAuthorization: false,
                validatorUrl: null,
                requestInterceptor: withSession,
                presets: [SwaggerUIBundle.presets.apis],
                layout: "BaseLayout",
            });
        })
        .catch(() => {
            place.textContent = "The API's document cannot be read now. Load this page again in a moment.";
        });
})();
