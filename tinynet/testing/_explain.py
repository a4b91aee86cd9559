def explained(report, subject, args, check, options):
    return report
