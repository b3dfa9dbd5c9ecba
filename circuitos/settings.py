"""Django's settings. The environment is read in ``circuitos.env`` only."""

from __future__ import annotations

from datetime import timedelta

import django_stubs_ext

from circuitos import sentry
from circuitos.env import BASE_DIR, celery_broker, database, env, mail
from circuitos.theme import UNFOLD as UNFOLD  # noqa: PLC0414 — a setting, read by its name

django_stubs_ext.monkeypatch()

ENV = env()

SECRET_KEY = ENV.secret_key
DEBUG = ENV.debug
ALLOWED_HOSTS = list(ENV.allowed_hosts)
ROOT_URLCONF = "circuitos.urls"
WSGI_APPLICATION = "circuitos.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en-gb"
APPEND_SLASH = False

# Shared tables stand in the public schema; each tenant's schema holds tenants.records alone.
SHARED_APPS = [
    "circuitos.apps.CircuitOSConfig",
    "unfold",  # before django_tenants, or its templates lose
    "unfold.contrib.filters",
    "django_tenants",
    "tenants",
    "governor",
    "logs",
    "triggers",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.admin.apps.SimpleAdminConfig",  # circuitos.urls loads it: web alone has a use for it
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "axes",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
]
TENANT_APPS = ["tenants.records"]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
PUBLIC_SCHEMA_NAME = "public"
# SET search_path once a connection, not once a query; django-tenants sets it again after a rollback.
TENANT_LIMIT_SET_CALLS = True

DATABASES = {
    "default": {
        **database(ENV.database_url or "postgres:///circuitos"),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": False,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }
}

MIDDLEWARE = [
    "tenants.middleware.TrustedProxies",
    "triggers.api.HooksFirst",  # a webhook has no use for what follows
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "tenants.middleware.DatabaseSlots",  # before the first that asks the database
    "tenants.framing.FramedCookies",  # before those that set them
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "circuitos.csp.ContentSecurityPolicyMiddleware",
    "tenants.throttling.RateHeaders",
    "tenants.middleware.Portal",
    "tenants.door.Door",
    "axes.middleware.AxesMiddleware",  # last: it answers for the sign-in it refused
]
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["logs.templatetags.console"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tenants.portal.frame",
            ],
        },
    },
]

STATIC_URL = "/static/"
STATIC_ROOT = ENV.home / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
AXES_VERBOSE = False
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_PARAMETERS = "tenants.lockout.parameters"
AXES_USERNAME_CALLABLE = "tenants.lockout.counted_name"
AXES_LOCKOUT_CALLABLE = "circuitos.errors.locked_out"
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit log tells who signed in
AXES_ENABLE_ADMIN = False
MFA_ADAPTER = "tenants.second_factor.Adapter"
MFA_TOTP_TOLERANCE = 1  # a code of the half minute before or after: clocks differ

# The portal's sign-in; its views wrap allauth's codes, expiry and rate limits (tenants.sign_in_views).
ACCOUNT_ADAPTER = "tenants.account_adapter.PortalAdapter"
ACCOUNT_LOGIN_METHODS = {"email", "username"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "username*", "password1*"]  # nobody signs up; one is invited
ACCOUNT_EMAIL_VERIFICATION = "none"  # an invitation proves the address
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False  # strangers get no mail by our hand
ACCOUNT_EMAIL_NOTIFICATIONS = False
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "/admin/login/"
LOGIN_REDIRECT_URL = "/admin/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_AGE = 14 * 86400  # of the portal; the console's sessions end sooner (tenants.door)
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SECURE_COOKIES = ENV.public_url.startswith("https://")
SESSION_COOKIE_SECURE = SECURE_COOKIES
CSRF_COOKIE_SECURE = SECURE_COOKIES
SECURE_HSTS_SECONDS = 30 * 86400 if SECURE_COOKIES else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
# Whoever ends TLS must be trusted to say so, or every page would redirect to itself.
SECURE_SSL_REDIRECT = SECURE_COOKIES and bool(ENV.trusted_proxies)
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)/?$"]
SILENCED_SYSTEM_CHECKS = ["security.W021"]  # preloading a domain is its owner's decision
CSRF_FAILURE_VIEW = "circuitos.errors.csrf_failure"
CSRF_TRUSTED_ORIGINS = [ENV.public_url] if ENV.public_url else []

REDIS_URL = ENV.redis_url or "redis://127.0.0.1:6379/0"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "KEY_FUNCTION": "django_tenants.cache.make_key",
        "REVERSE_KEY_FUNCTION": "django_tenants.cache.reverse_key",
        # A request waits for the cache no longer than it is worth.
        "OPTIONS": {"socket_timeout": 0.5, "socket_connect_timeout": 0.5},
    }
}

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.parsing.PlainJSONParser"],
    "DEFAULT_AUTHENTICATION_CLASSES": ["tenants.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.permissions.HasToken"],
    "DEFAULT_THROTTLE_CLASSES": ["tenants.throttling.PerToken"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "circuitos.errors.handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "CircuitOS",
    "DESCRIPTION": "Apex for any CRM. Each call needs a token: `Authorization: Bearer cos_…`.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "ExecutionStatusEnum": "triggers.choices.ExecutionStatus",
        "TenantStatusEnum": "tenants.choices.TenantStatus",
        "RequestStatusEnum": "governor.choices.RequestStatus",
        "TriggerStateEnum": ["active", "paused", "off"],
        "ReleaseStatusEnum": ["live"],
        "ReplayStatusEnum": "triggers.choices.ReplayStatus",
        "ReplayItemStatusEnum": "triggers.choices.ItemStatus",
    },
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "circuitos.schema.complete",
    ],
    "TAGS": [
        {"name": "events", "description": "What CRMs told us: one event is one change of one record."},
        {"name": "executions", "description": "One trigger over one batch, its trace, and its replay."},
        {"name": "triggers", "description": "What runs, in which order, and how it does."},
        {"name": "audit", "description": "Whether the audit log still holds."},
        {"name": "releases", "description": "Versions of the scripts."},
        {"name": "limits", "description": "What one execution may use, and what a tenant may."},
        {"name": "quota", "description": "Where a tenant stands today and this month."},
        {"name": "usage", "description": "What was used, by day and trigger."},
        {"name": "tenants", "description": "Customer accounts."},
        {"name": "connections", "description": "CRM accounts that a tenant linked."},
        {"name": "replays", "description": "Replays of many events at once."},
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}

MAIL = mail(ENV.email_url)
NOTICES_BY_EMAIL = bool(ENV.email_url)
EMAIL_BACKEND = MAIL.backend
if DEBUG and not ENV.email_url:
    # To be read by whoever develops; the pages say where.
    EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
    EMAIL_FILE_PATH = ENV.home / "mail"
EMAIL_HOST = MAIL.host
EMAIL_PORT = MAIL.port
EMAIL_HOST_USER = MAIL.user
EMAIL_HOST_PASSWORD = MAIL.password
EMAIL_USE_SSL = MAIL.is_tls
EMAIL_USE_TLS = MAIL.starts_tls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = MAIL.sender

# Celery carries bells only: early ack, no result, no retry, nothing true in it.
CELERY_BROKER_URL = celery_broker(REDIS_URL)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "socket_timeout": 2,
    "socket_connect_timeout": 0.5,
    "visibility_timeout": 3600,
}
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_DB_REUSE_MAX = 10_000
CELERY_IMPORTS = ["triggers.heartbeat"]  # signs of life of worker and beat
CELERY_TASK_DEFAULT_QUEUE = "circuitos"
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "()": "circuitos.log_lines.MaskedFormatter",
            "format": "%(levelname)s %(name)s: %(message)s",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        "django": {"handlers": []},  # the root's handler is enough; Django's own would say all twice
        "django.request": {"level": "ERROR"},
        "celery": {"level": "WARNING"},
        "axes": {"level": "ERROR"},  # the audit log tells of lockouts
    },
}

# Private hosts, host:ports and networks that scripts may call all the same: for tests and the demo.
EGRESS_ALLOW = list(ENV.egress_allow)
GOHIGHLEVEL_API_URL = ENV.gohighlevel_api_url
HUBSPOT_API_URL = ENV.hubspot_api_url
# Where an owner says yes to an install.
GOHIGHLEVEL_AUTHORIZE_URL = ENV.gohighlevel_authorize_url
HUBSPOT_AUTHORIZE_URL = ENV.hubspot_authorize_url

if ENV.sentry_dsn:
    sentry.start(ENV.sentry_dsn, environment=ENV.environment)
