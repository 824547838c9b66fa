"""CSS kits: which style sheets they need and which classes their components carry."""
# ruff: noqa: E501  (lists of classes keep their long lines)

import random
from dataclasses import dataclass, field

_BOOTSTRAP = {
    "button": "btn btn-secondary|btn btn-light|btn btn-outline-secondary|btn btn-outline-primary",
    "primary": "btn btn-primary|btn btn-success|btn btn-dark|btn btn-info",
    "danger": "btn btn-danger|btn btn-outline-danger",
    "ghost": "btn btn-link|btn btn-outline-secondary|btn",
    "small": "btn-sm",
    "input": "form-control",
    "select": "form-select",
    "label": "form-label",
    "check": "form-check-input",
    "table": "table|table table-striped|table table-hover table-sm|table table-bordered",
    "card": "card",
    "card_header": "card-header",
    "card_body": "card-body",
    "tabs": "nav nav-tabs|nav nav-pills|nav nav-underline",
    "tab": "nav-link",
    "badge": "badge bg-primary|badge bg-secondary|badge bg-success|badge bg-warning text-dark|badge bg-danger",
    "list": "list-group",
    "item": "list-group-item list-group-item-action",
    "menu": "dropdown-menu show",
    "menuitem": "dropdown-item",
    "alert": "alert alert-warning|alert alert-info|alert alert-success|alert alert-danger",
    "pages": "pagination",
    "page": "page-link",
    "modal": "modal-content",
    "modal_header": "modal-header",
    "modal_body": "modal-body",
    "modal_footer": "modal-footer",
    "progress": "progress",
    "bar": "progress-bar",
}
_CLASSES: dict[str, dict[str, str]] = {
    "bootstrap": _BOOTSTRAP,
    "bulma": {
        "button": "button|button is-light",
        "primary": "button is-primary|button is-link|button is-info",
        "danger": "button is-danger",
        "ghost": "button is-ghost|button is-text|button is-white",
        "small": "is-small",
        "input": "input",
        "textarea": "textarea",
        "select_wrap": "select is-fullwidth",
        "label": "label",
        "table": "table is-fullwidth|table is-striped is-fullwidth|table is-bordered is-fullwidth|table is-narrow is-fullwidth",
        "card": "box|card",
        "badge": "tag is-info|tag is-success|tag is-light|tag is-warning|tag is-danger",
        "menu": "dropdown-content",
        "menuitem": "dropdown-item",
        "alert": "notification is-warning|notification is-info is-light|notification",
        "page": "pagination-link",
        "active": "is-active is-current",
        "modal": "box",
    },
    "fomantic": {
        "button": "ui button|ui basic button",
        "primary": "ui primary button|ui teal button|ui green button",
        "danger": "ui red button|ui negative button",
        "ghost": "ui basic button|ui tertiary button",
        "small": "small|mini|tiny",
        "input_wrap": "ui fluid input",
        "table": "ui table|ui celled table|ui striped table|ui very basic table|ui compact table",
        "card": "ui segment|ui raised segment",
        "badge": "ui label|ui green label|ui blue horizontal label|ui red circular label",
        "alert": "ui message|ui warning message|ui info message",
        "modal": "ui segment",
        "form": "ui form",
    },
    "uikit": {
        "button": "uk-button uk-button-default",
        "primary": "uk-button uk-button-primary|uk-button uk-button-secondary",
        "danger": "uk-button uk-button-danger",
        "ghost": "uk-button uk-button-text|uk-button uk-button-link",
        "small": "uk-button-small",
        "input": "uk-input",
        "textarea": "uk-textarea",
        "select": "uk-select",
        "check": "uk-checkbox",
        "radio": "uk-radio",
        "label": "uk-form-label",
        "table": "uk-table uk-table-divider|uk-table uk-table-striped|uk-table uk-table-small uk-table-divider",
        "card": "uk-card uk-card-default uk-card-body|uk-card uk-card-default uk-card-small uk-card-body",
        "badge": "uk-label|uk-label uk-label-success|uk-badge",
        "alert": "uk-alert uk-alert-warning|uk-alert uk-alert-primary|uk-alert",
        "modal": "uk-modal-dialog uk-modal-body",
    },
    "foundation": {
        "button": "button hollow|button secondary",
        "primary": "button|button success",
        "danger": "button alert",
        "ghost": "button clear|button hollow secondary",
        "small": "tiny|small",
        "table": "hover|unstriped|stack",
        "card": "card|callout",
        "card_body": "card-section",
        "card_header": "card-divider",
        "badge": "label|label success|label warning|badge",
        "alert": "callout warning|callout primary|callout success",
        "modal": "callout",
    },
    "primer": {
        "button": "btn|btn btn-outline",
        "primary": "btn btn-primary",
        "danger": "btn btn-danger",
        "ghost": "btn btn-invisible|btn-octicon",
        "small": "btn-sm",
        "input": "form-control",
        "select": "form-select",
        "card": "Box",
        "card_header": "Box-header",
        "card_body": "Box-body",
        "list": "Box",
        "item": "Box-row",
        "badge": "Label|Label Label--accent|Label Label--success|Counter|IssueLabel",
        "tabs": "UnderlineNav-body",
        "tab": "UnderlineNav-item",
        "alert": "flash|flash flash-warn|flash flash-error",
        "modal": "Box",
        "modal_header": "Box-header",
        "modal_body": "Box-body",
        "modal_footer": "Box-footer",
    },
    "spectre": {
        "button": "btn",
        "primary": "btn btn-primary|btn btn-success",
        "danger": "btn btn-error",
        "ghost": "btn btn-link",
        "small": "btn-sm",
        "input": "form-input",
        "select": "form-select",
        "label": "form-label",
        "table": "table|table table-striped|table table-hover",
        "card": "card",
        "card_header": "card-header",
        "card_body": "card-body",
        "badge": "label|label label-primary|chip|label label-success",
        "menu": "menu",
        "menuitem": "menu-item",
        "alert": "toast|toast toast-primary|toast toast-warning",
    },
    "materialize": {
        "button": "btn grey|btn teal lighten-2",
        "primary": "btn|btn indigo|btn blue darken-2|btn pink",
        "danger": "btn red",
        "ghost": "btn-flat",
        "small": "btn-small",
        "select": "browser-default",
        "table": "striped|highlight|",
        "card": "card-panel",
        "list": "collection",
        "item": "collection-item",
        "textarea": "materialize-textarea",
        "check_style": "span",
    },
    "pure": {
        "button": "pure-button",
        "primary": "pure-button pure-button-primary",
        "form": "pure-form pure-form-stacked",
        "table": "pure-table|pure-table pure-table-bordered|pure-table pure-table-horizontal|pure-table pure-table-striped",
    },
    "milligram": {"primary": "button", "button": "button button-outline", "ghost": "button button-clear"},
    "uswds": {
        "button": "usa-button usa-button--outline|usa-button usa-button--base",
        "primary": "usa-button|usa-button usa-button--accent-cool",
        "danger": "usa-button usa-button--secondary",
        "ghost": "usa-button usa-button--unstyled",
        "input": "usa-input",
        "textarea": "usa-textarea",
        "select": "usa-select",
        "label": "usa-label",
        "check": "usa-checkbox__input",
        "radio": "usa-radio__input",
        "check_label": "usa-checkbox__label",
        "radio_label": "usa-radio__label",
        "check_style": "after",
        "table": "usa-table|usa-table usa-table--borderless|usa-table usa-table--striped|usa-table usa-table--compact",
        "badge": "usa-tag",
        "link": "usa-link",
        "modal": "usa-modal",
    },
    "govuk": {
        "button": "govuk-button govuk-button--secondary",
        "primary": "govuk-button|govuk-button govuk-button--start",
        "danger": "govuk-button govuk-button--warning",
        "ghost": "govuk-button govuk-button--secondary",
        "input": "govuk-input",
        "textarea": "govuk-textarea",
        "select": "govuk-select",
        "label": "govuk-label",
        "check": "govuk-checkboxes__input",
        "check_label": "govuk-label govuk-checkboxes__label",
        "radio": "govuk-radios__input",
        "radio_label": "govuk-label govuk-radios__label",
        "check_wrap": "govuk-checkboxes__item",
        "radio_wrap": "govuk-radios__item",
        "check_style": "after",
        "table": "govuk-table",
        "th": "govuk-table__header",
        "td": "govuk-table__cell",
        "badge": "govuk-tag|govuk-tag govuk-tag--green|govuk-tag govuk-tag--red",
        "link": "govuk-link",
        "body": "govuk-template__body govuk-body",
        "title": "govuk-heading-l|govuk-heading-m",
    },
    "carbon": {
        "button": "cds--btn cds--btn--tertiary|cds--btn cds--btn--secondary",
        "primary": "cds--btn cds--btn--primary",
        "danger": "cds--btn cds--btn--danger",
        "ghost": "cds--btn cds--btn--ghost",
        "small": "cds--btn--sm",
        "input": "cds--text-input",
        "textarea": "cds--text-area",
        "select": "cds--select-input",
        "label": "cds--label",
        "table": "cds--data-table|cds--data-table cds--data-table--sm|cds--data-table cds--data-table--zebra",
        "card": "cds--tile",
        "badge": "cds--tag cds--tag--blue|cds--tag cds--tag--green|cds--tag cds--tag--gray",
        "link": "cds--link",
        "body": "cds--body cds--white",
    },
    "weui": {
        "button": "weui-btn weui-btn_default weui-btn_mini",
        "primary": "weui-btn weui-btn_primary weui-btn_mini",
        "danger": "weui-btn weui-btn_warn weui-btn_mini",
        "input": "weui-input",
        "list": "weui-cells",
        "item": "weui-cell weui-cell_access",
        "badge": "weui-badge",
        "switch": "weui-switch",
    },
    "framework7": {
        "button": "button button-outline|button button-tonal",
        "primary": "button button-fill|button button-fill button-round",
        "ghost": "button",
        "card": "card",
        "card_header": "card-header",
        "card_body": "card-content card-content-padding",
        "badge": "badge|badge color-red|chip",
    },
}
_PRIMER_CSS = (
    "@primer/primitives/dist/css/base/size/size.css",
    "@primer/primitives/dist/css/base/typography/typography.css",
    "@primer/primitives/dist/css/functional/size/size.css",
    "@primer/primitives/dist/css/functional/size/border.css",
    "@primer/primitives/dist/css/functional/size/radius.css",
    "@primer/primitives/dist/css/functional/typography/typography.css",
    "@primer/css/dist/primer.css",
)
_SWATCHES = [
    "brite",
    "cerulean",
    "cosmo",
    "flatly",
    "journal",
    "litera",
    "lumen",
    "lux",
    "materia",
    "minty",
    "morph",
    "pulse",
    "sandstone",
    "simplex",
    "sketchy",
    "spacelab",
    "united",
    "yeti",
    "zephyr",
]
_DARK_SWATCHES = ["cyborg", "darkly", "slate", "solar", "superhero", "vapor"]
_PICO = [
    "amber",
    "blue",
    "cyan",
    "fuchsia",
    "green",
    "indigo",
    "jade",
    "lime",
    "orange",
    "pink",
    "pumpkin",
    "purple",
    "red",
    "sand",
    "slate",
    "violet",
    "zinc",
]


@dataclass(frozen=True)
class Kit:
    """A look taken from a package.

    Args:
        name: Second part of a screen's source.
        css: Style sheets in node_modules.
        classes: Classes by component, alternatives parted by a bar; what is missing is drawn by generated CSS.
        dark: Whether the page is dark.
        html: Attributes of the html tag.
    """

    name: str
    css: tuple[str, ...] = ()
    classes: dict[str, str] = field(default_factory=dict)
    dark: bool = False
    html: str = ""


_WEIGHTS = {
    "custom": 34, "plain": 3, "bootstrap": 6, "bootswatch": 9, "tabler": 6, "coreui": 4, "halfmoon": 3, "sb-admin": 3, "bulma": 5,
    "fomantic": 3, "uikit": 4, "foundation": 3, "pico": 4, "primer": 5, "spectre": 3, "materialize": 3, "water": 2, "milligram": 2,
    "pure": 2, "uswds": 3, "govuk": 2, "carbon": 3, "sakura": 1, "mvp": 0.5, "weui": 2, "framework7": 2, "ionic": 2,
}  # fmt: skip
PHONE_KITS = ("weui", "framework7", "ionic")


def choose_kit(rng: random.Random) -> Kit:
    """Draw a kit; about a quarter of the looks that can be dark are."""
    name = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))[0]
    return make_kit(name, rng, rng.random() < 0.28)


def make_kit(name: str, rng: random.Random, dark: bool) -> Kit:
    """Put a kit together.

    Args:
        name: One of the kits' names.
        rng: Chooses among variants.
        dark: Whether to make it dark, where it can be.

    Raises:
        ValueError: If the name is not known.
    """
    if name not in _WEIGHTS:
        raise ValueError(f"no kit is called {name!r}: choose one of {', '.join(_WEIGHTS)}")
    theme = f'data-bs-theme="{"dark" if dark else "light"}" data-coreui-theme="{"dark" if dark else "light"}"'
    if name == "bootswatch":
        swatch = rng.choice(_DARK_SWATCHES if dark else _SWATCHES)
        return Kit(f"bootswatch-{swatch}", (f"bootswatch/dist/{swatch}/bootstrap.min.css",), _BOOTSTRAP, dark, theme)
    bootstraps = {
        "bootstrap": ("bootstrap/dist/css/bootstrap.min.css",),
        "tabler": ("@tabler/core/dist/css/tabler.min.css",),
        "coreui": ("@coreui/coreui/dist/css/coreui.min.css",),
        "halfmoon": (
            "halfmoon/css/halfmoon.min.css",
            f"halfmoon/css/cores/halfmoon.{rng.choice(('cores', 'modern', 'elegant'))}.css",
        ),
    }
    if name in bootstraps:
        core = f' data-bs-core="{rng.choice(("modern", "elegant"))}"' if name == "halfmoon" else ""
        return Kit(name, bootstraps[name], _BOOTSTRAP, dark, theme + core)
    single = {
        "sb-admin": "startbootstrap-sb-admin-2/css/sb-admin-2.min.css",
        "fomantic": "fomantic-ui-css/semantic.min.css",
        "uikit": "uikit/dist/css/uikit.min.css",
        "foundation": "foundation-sites/dist/css/foundation.min.css",
        "spectre": "spectre.css/dist/spectre.min.css",
        "materialize": "materialize-css/dist/css/materialize.min.css",
        "milligram": "milligram/dist/milligram.min.css",
        "pure": "purecss/build/pure-min.css",
        "uswds": "@uswds/uswds/dist/css/uswds.min.css",
        "govuk": "govuk-frontend/dist/govuk/govuk-frontend.min.css",
        "mvp": "mvp.css/mvp.css",
    }
    if name in single:
        classes = {**_BOOTSTRAP, "select": "form-control"} if name == "sb-admin" else _CLASSES.get(name, {})
        html = 'class="govuk-template"' if name == "govuk" else 'color-mode="light"' if name == "mvp" else ""
        return Kit(name, (single[name],), classes, False, html)
    return _themed_kit(name, rng, dark)


def _themed_kit(name: str, rng: random.Random, dark: bool) -> Kit:
    mode = "dark" if dark else "light"
    if name == "bulma":
        return Kit(name, ("bulma/css/bulma.min.css",), _CLASSES[name], dark, f'data-theme="{mode}"')
    if name == "pico":
        return Kit(name, (f"@picocss/pico/css/pico.{rng.choice(_PICO)}.min.css",), {}, dark, f'data-theme="{mode}"')
    if name == "primer":
        theme = rng.choice(("dark", "dark-dimmed") if dark else ("light",))
        css = (f"@primer/primitives/dist/css/functional/themes/{theme}.css", *_PRIMER_CSS)
        html = f'data-color-mode="{mode}" data-light-theme="light" data-dark-theme="{theme.replace("-", "_")}"'
        return Kit(name, css, _CLASSES[name], dark, html)
    if name == "water":
        return Kit(name, (f"water.css/out/{mode}.min.css",), {}, dark)
    if name == "sakura":
        return Kit(
            name,
            (
                f"sakura.css/css/{'sakura-dark' if dark else rng.choice(('sakura', 'sakura-earthly', 'sakura-ink'))}.css",
            ),
            {},
            dark,
        )
    if name == "carbon":
        body = "cds--body cds--g100" if dark else "cds--body cds--white"
        return Kit(name, ("@carbon/styles/css/styles.min.css",), {**_CLASSES[name], "body": body}, dark)
    if name == "weui":
        return Kit(
            name, ("weui/dist/style/weui.min.css",), {**_CLASSES[name], "body": f'" data-weui-theme="{mode}'}, dark
        )
    if name == "framework7":
        body = f"framework7-root {rng.choice(('md', 'ios'))}"
        html = f'class="{rng.choice(("md", "ios"))}{" dark" if dark else ""}"'
        return Kit(name, ("framework7/framework7-bundle.min.css",), {**_CLASSES[name], "body": body}, dark, html)
    if name == "ionic":
        return Kit(name, ("@ionic/core/css/ionic.bundle.css",), {}, dark)
    return Kit(name, dark=dark and name == "custom")
