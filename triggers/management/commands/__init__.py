"""Commands: python manage.py …"""
