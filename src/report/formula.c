#include "page.h"

#include <ctype.h>
#include <string.h>

typedef struct reader {
    lnt_ctx *ctx;
    const char *s; /* up to the end of the line */
    lnt_status status;
} reader;

/* What a name stands for: element and text. */
static const struct symbol {
    const char *name, *element, *text;
} symbols[] = {
    {"alpha", "mi", "α"},        {"beta", "mi", "β"},   {"gamma", "mi", "γ"},  {"delta", "mi", "δ"},
    {"epsilon", "mi", "ε"},      {"eta", "mi", "η"},    {"theta", "mi", "θ"},  {"kappa", "mi", "κ"},
    {"lambda", "mi", "λ"},       {"mu", "mi", "μ"},     {"nu", "mi", "ν"},     {"rho", "mi", "ρ"},
    {"sigma", "mi", "σ"},        {"tau", "mi", "τ"},    {"phi", "mi", "φ"},    {"psi", "mi", "ψ"},
    {"omega", "mi", "ω"},        {"Gamma", "mi", "Γ"},  {"Delta", "mi", "Δ"},  {"Lambda", "mi", "Λ"},
    {"Sigma", "mi", "Σ"},        {"Phi", "mi", "Φ"},    {"pi", "mi", "π"},     {"infty", "mi", "∞"},
    {"ell", "mi", "ℓ"},          {"chi", "mi", "χ"},    {"xi", "mi", "ξ"},     {"partial", "mi", "∂"},
    {"nabla", "mi", "∇"},        {"ln", "mi", "ln"},    {"log", "mi", "log"},  {"exp", "mi", "exp"},
    {"tr", "mi", "tr"},          {"cos", "mi", "cos"},  {"sin", "mi", "sin"},  {"diag", "mi", "diag"},
    {"rank", "mi", "rank"},      {"min", "mo", "min"},  {"max", "mo", "max"},  {"sign", "mi", "sign"},
    {"argmin", "mo", "arg min"}, {"sum", "mo", "∑"},    {"prod", "mo", "∏"},   {"int", "mo", "∫"},
    {"le", "mo", "≤"},           {"ge", "mo", "≥"},     {"ne", "mo", "≠"},     {"approx", "mo", "≈"},
    {"ll", "mo", "≪"},           {"gg", "mo", "≫"},     {"to", "mo", "→"},     {"cdot", "mo", "·"},
    {"times", "mo", "×"},        {"in", "mo", "∈"},     {"pm", "mo", "±"},     {"top", "mo", "⊤"},
    {"propto", "mo", "∝"},       {"sim", "mo", "∼"},    {"odot", "mo", "⊙"},   {"iff", "mo", "⇔"},
    {"implies", "mo", "⇒"},      {"|", "mo", "‖"},      {"{", "mo", "{"},      {"}", "mo", "}"},
    {"langle", "mo", "⟨"},       {"rangle", "mo", "⟩"}, {"dagger", "mo", "†"},
};

static void put_row(reader *r, lnt_text *out, char end);

static void fail(reader *r, const char *what, int length, const char *name)
{
    if (r->status == LNT_OK)
        r->status = lnt_fail(r->ctx, LNT_EFORMAT, "formula: %s '%.*s'", what, length, name);
}

/* {...} as one element. */
static void put_group(reader *r, lnt_text *out)
{
    r->s += strspn(r->s, " ");
    if (*r->s != '{') {
        fail(r, "{ expected before", 12, r->s);
        return;
    }
    r->s++;
    lnt_text_add(out, "<mrow>");
    put_row(r, out, '}');
    lnt_text_add(out, "</mrow>");
}

static void put_text(reader *r, lnt_text *out)
{
    size_t n = *r->s == '{' ? strcspn(r->s, "}\n") : 0;
    const char *text = n && r->s[n] == '}' ? lnt_sprintf(r->ctx, "%.*s", (int)n - 1, r->s + 1) : NULL;
    if (!text) {
        fail(r, "{text} expected before", 12, r->s);
        return;
    }
    lnt_text_add(out, "<mtext>");
    lnt_put_escaped(out, text);
    lnt_text_add(out, "</mtext>");
    r->s += n + 1;
}

static bool is_name(const char *name, size_t n, const char *wanted)
{
    return strlen(wanted) == n && memcmp(name, wanted, n) == 0;
}

static void put_command(reader *r, lnt_text *out)
{
    const char *name = r->s;
    size_t n = 0;
    while (isalpha((unsigned char)name[n]))
        n++;
    n += n == 0 && *name;
    r->s += n;
    if (is_name(name, n, "frac")) {
        lnt_text_add(out, "<mfrac>");
        put_group(r, out);
        put_group(r, out);
        lnt_text_add(out, "</mfrac>");
    } else if (is_name(name, n, "sqrt")) {
        lnt_text_add(out, "<msqrt>");
        put_group(r, out);
        lnt_text_add(out, "</msqrt>");
    } else if (is_name(name, n, "text")) {
        put_text(r, out);
    } else if (is_name(name, n, "quad")) {
        lnt_text_add(out, "<mspace width=\"1.5em\"></mspace>");
    } else {
        for (size_t k = 0; k < sizeof symbols / sizeof *symbols; k++)
            if (is_name(name, n, symbols[k].name)) {
                lnt_text_add(out, "<%s>%s</%s>", symbols[k].element, symbols[k].text, symbols[k].element);
                return;
            }
        fail(r, "unknown name", (int)n, name);
    }
}

/* One symbol, number or group. */
static void put_atom(reader *r, lnt_text *out)
{
    r->s += strspn(r->s, " ");
    unsigned char c = (unsigned char)*r->s;
    size_t digits = strspn(r->s, "0123456789.");
    if (c == '{') {
        put_group(r, out);
    } else if (c == '\\') {
        r->s++;
        put_command(r, out);
    } else if (digits) {
        lnt_text_add(out, "<mn>%.*s</mn>", (int)digits, r->s);
        r->s += digits;
    } else if (isalpha(c)) {
        lnt_text_add(out, "<mi>%c</mi>", c);
        r->s++;
    } else if (c == '-') {
        lnt_text_add(out, "<mo>−</mo>");
        r->s++;
    } else if (c && strchr("*+=()[],;:/!'<>|", c)) {
        lnt_text_add(out, c == '|'            ? "<mo stretchy=\"false\" lspace=\"0\" rspace=\"0\">"
                          : strchr("()[]", c) ? "<mo stretchy=\"false\">"
                                              : "<mo>");
        lnt_put_escaped(out, (char[]){(char)c, '\0'});
        lnt_text_add(out, "</mo>");
        r->s++;
    } else {
        fail(r, "unexpected", 1, r->s);
    }
}

/* Atoms with their indices and exponents, up to `end`. */
static void put_row(reader *r, lnt_text *out, char end)
{
    while (r->status == LNT_OK && (r->s += strspn(r->s, " "), *r->s != end && *r->s && *r->s != '\n')) {
        bool large = strncmp(r->s, "\\sum", 4) == 0 || strncmp(r->s, "\\prod", 5) == 0 ||
                     strncmp(r->s, "\\min", 4) == 0 || strncmp(r->s, "\\argmin", 7) == 0;
        lnt_text base = {0}, below = {0}, above = {0};
        put_atom(r, &base);
        while (r->status == LNT_OK && (r->s += strspn(r->s, " "), *r->s == '_' || *r->s == '^')) {
            lnt_text *script = *r->s++ == '_' ? &below : &above;
            if (script->p)
                fail(r, "two indices or exponents before", 12, r->s);
            put_atom(r, script);
        }
        const char *kind = below.p && above.p ? large ? "munderover" : "msubsup"
                           : below.p          ? large ? "munder" : "msub"
                           : above.p          ? large ? "mover" : "msup"
                                              : NULL;
        if (kind)
            lnt_text_add(out, "<%s>%s%s%s</%s>", kind, base.p, below.p ? below.p : "", above.p ? above.p : "", kind);
        else if (base.p)
            lnt_text_bytes(out, base.p, base.n);
        out->failed = out->failed || base.failed || below.failed || above.failed;
        lnt_text_free(&base);
        lnt_text_free(&below);
        lnt_text_free(&above);
    }
    if (*r->s == end)
        r->s += end != '\0';
    else if (end == '}' && r->status == LNT_OK)
        fail(r, "} is missing after", 0, "");
}

lnt_status lnt_report_formula(lnt_ctx *ctx, lnt_text *out, const char *tex)
{
    reader r = {ctx, tex, LNT_OK};
    while (*r.s && r.status == LNT_OK) {
        lnt_text_add(out, "<div class=\"wide\"><math display=\"block\"><mrow>");
        put_row(&r, out, '\0');
        lnt_text_add(out, "</mrow></math></div>\n");
        if (*r.s == '}')
            fail(&r, "unexpected", 1, r.s);
        r.s += *r.s == '\n';
    }
    return r.status == LNT_OK ? lnt_text_status(ctx, out) : r.status;
}
